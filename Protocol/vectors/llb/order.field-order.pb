
lZ
,docker-image://docker.io/library/alpine:3.20
a1
b2
image.resolvemodelocalR
amd64linux
r
I
Gsha256:87bfece32a74b6f01629b09216afb9fd44e608afbf6d12984c490302b024f9f3
	
true//R
amd64linuxZ
x
K
I
Gsha256:8d854f4f6f4307badbdcfbea138cf3cd25e8854d1ec097fe4d70a6784f76e0b8