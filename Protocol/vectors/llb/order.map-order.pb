
lR
amd64linuxZ
,docker-image://docker.io/library/alpine:3.20
image.resolvemodelocal
b2
a1
r
I
Gsha256:3d58a44bbeb8b7646a5ba5e10b663ab6f9260792ff6677a859322770babc2ad9R
amd64linuxZ
x
	
true//
K
I
Gsha256:a1d0427f4681d732add91cd6c5f95ef7e08e14274235e104006851d5e20bd7f7