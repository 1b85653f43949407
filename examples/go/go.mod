module github.com/rtcmsg/rtcmsg/examples/go

go 1.24

require github.com/rtcmsg/rtcmsg/bindings/go v0.0.0

replace github.com/rtcmsg/rtcmsg/bindings/go => ../../bindings/go
