module rtcmsg.invalid/bench/ours

go 1.24

require (
	github.com/rtcmsg/rtcmsg/bindings/go v0.0.0
	rtcmsg.invalid/bench v0.0.0
)

replace github.com/rtcmsg/rtcmsg/bindings/go => ../../../bindings/go

replace rtcmsg.invalid/bench => ../
