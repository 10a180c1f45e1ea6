
lR
amd64linuxZ
,docker-image://docker.io/library/alpine:3.20
a1
b2
image.resolvemodelocal
r
I
Gsha256:72b5ee4586bd0eb121e3e4f12c57585d51d1f516ec04c20d5e8ed3e8d0b8ab76R
amd64linuxZ
x
	
true//
K
I
Gsha256:50a4d9508f97412d3a4fd76b7ac7167d4acddd035600c8e559923b62a43abf03