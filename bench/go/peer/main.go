// The vendor's own Go SDK, as its users call it: the typed calls of service/rtc. `peer sign COUNT` measures only
// its signer, on the request of bench/sign.rs.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	bench "rtcmsg.invalid/bench"

	"github.com/volcengine/volc-sdk-golang/base"
	rtc "github.com/volcengine/volc-sdk-golang/service/rtc/v20201201"
)

const appID = "661e000000000000000demo1"

func main() {
	if len(os.Args) == 3 && os.Args[1] == "sign" {
		sign(os.Args[2])
		return
	}
	run := bench.Arguments()
	client := rtc.NewInstance()
	scheme, host, _ := strings.Cut(run.URL, "://")
	client.SetScheme(scheme)
	client.SetHost(host)
	client.SetAccessKey("AKLTdemo")
	client.SetSecretKey("demo-secret-key==")
	ctx := context.Background()
	switch run.Case {
	case "unicast-100", "unicast-60k":
		bench.Go(run, func() error {
			body := rtc.SendUnicastBody{AppID: appID, From: run.From, To: run.To[0], Message: run.Text}
			answer, status, err := client.SendUnicast(ctx, &body)
			if err != nil {
				return err
			}
			return success(status, answer.ResponseMetadata.RequestID)
		})
	case "batch-600":
		bench.Go(run, func() error {
			body := rtc.BatchSendRoomUnicastBody{
				AppID: appID, RoomID: run.Room, From: run.From, To: run.To, Message: run.Text,
			}
			answer, status, err := client.BatchSendRoomUnicast(ctx, &body)
			if err != nil {
				return err
			}
			return success(status, answer.ResponseMetadata.RequestID)
		})
	default:
		bench.Fail("the SDK has no such call: " + run.Case)
	}
}

func success(status int, requestID string) error {
	if status != http.StatusOK || requestID == "" {
		return fmt.Errorf("status %d, request id %q", status, requestID)
	}
	return nil
}

func sign(argument string) {
	count, err := strconv.Atoi(argument)
	if err != nil {
		bench.Fail(err.Error())
	}
	body := `{"AppId":"` + appID + `","From":"server","To":"user-0001","Binary":false,"Message":"` +
		strings.Repeat("0123456789", 10) + `"}`
	credentials := base.Credentials{
		AccessKeyID: "AKLTdemo", SecretAccessKey: "demo-secret-key==", Service: "rtc", Region: "cn-north-1",
	}
	const url = "https://rtc.volcengineapi.com/?Action=SendUnicast&Version=2020-12-01"
	begun := time.Now()
	for range count {
		request, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			bench.Fail(err.Error())
		}
		request.Header.Set("Content-Type", "application/json")
		if credentials.Sign(request).Header.Get("Authorization") == "" {
			bench.Fail("not signed")
		}
	}
	fmt.Printf("{\"sign_ns\": %.1f}\n", float64(time.Since(begun).Nanoseconds())/float64(count))
}
