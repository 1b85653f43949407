module rtcmsg.invalid/bench

go 1.22
