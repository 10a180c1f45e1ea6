
0.
,docker-image://docker.io/library/alpine:3.20
QO
local://context
local.followpaths["src"]
local.sharedkeyhintcontext
Á
I
Gsha256:e7346b6a2f7bed917d02cb7a145ab3cbac04c94fcd506b23f8a5a170a577f040
I
Gsha256:20ceb33f88d55e94441b4bcac39307ffa041ec984d633dacfbcd106a4ca77e82")'"#
/src/w/ ÿÿÿÿÿÿÿÿÿ@Xÿÿÿÿÿÿÿÿÿ
ã
I
Gsha256:f92c2d6866c3bf683f8833ba6e729d6824a4d7f79b93505633c5df2338756670R
amd64linux…

make
-C
/w	PATH=/bin/w/+ÿÿÿÿÿÿÿÿÿ/cache ÿÿÿÿÿÿÿÿÿ0¢
make0ÿÿÿÿÿÿÿÿÿ/run/secrets/token0ª
token €(
K
I
Gsha256:9270d25d36add6230415025233e4a6a376ce6434946920b95d69afc77664c2abe
Gsha256:9270d25d36add6230415025233e4a6a376ce6434946920b95d69afc77664c2ab
llb.customnamemake