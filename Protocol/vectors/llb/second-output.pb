
0.
,docker-image://docker.io/library/alpine:3.20
r
I
Gsha256:e7346b6a2f7bed917d02cb7a145ab3cbac04c94fcd506b23f8a5a170a577f040%
	
true// ÿÿÿÿÿÿÿÿÿ/out
M
K
Gsha256:4adfc2738af81b8fbeed114a5239d2998aae6234aa40524fb89721e067325e40