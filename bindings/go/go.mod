module github.com/rtcmsg/rtcmsg/bindings/go

go 1.24
