// Forwarder is an HTTP service that forwards notifications to users in a ZEGO room and answers with the results.
//
//	POST /notifications
//	{"room": "lobby", "to": ["alice", "bob"], "text": "dinner is ready"}
//
// Without "to", the notification is for all users in the room if the member "everybody" is true. The vendor's settings come
// from the environment (docs/CONFIGURATION.md). SIGTERM and SIGINT stop it after it has answered the current requests.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rtcmsg/rtcmsg/bindings/go"
)

const (
	sendTimeout  = 5 * time.Second
	drainTimeout = 15 * time.Second
	maxBody      = 1 << 20
)

func main() {
	address := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	listener, err := net.Listen("tcp", *address)
	if err == nil {
		fmt.Printf("forwarder listening on http://%s\n", listener.Addr())
		err = serve(ctx, listener)
	}
	if err != nil {
		slog.Error("forwarder", "error", err)
		os.Exit(1)
	}
}

// serve runs until the context ends, and then until the current requests are done.
func serve(ctx context.Context, listener net.Listener) error {
	client, err := rtcmsg.New(rtcmsg.WithEnvironment(), rtcmsg.WithLogger(slog.Default()))
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("POST /notifications", &forwarder{client})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: sendTimeout}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	// First the server, which still needs the client for the current requests.
	drain, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	return errors.Join(err, server.Shutdown(drain), client.Close(drain))
}

type forwarder struct {
	client *rtcmsg.Client
}

type notification struct {
	Room      string   `json:"room"`
	To        []string `json:"to"`
	Everybody bool     `json:"everybody"`
	Text      string   `json:"text"`
}

type outcome struct {
	Code       string      `json:"code"`
	Delivery   string      `json:"delivery,omitempty"`
	Error      string      `json:"error,omitempty"`
	Recipients []recipient `json:"recipients,omitempty"`
}

type recipient struct {
	User     string `json:"user"`
	Delivery string `json:"delivery"`
}

func (f *forwarder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var n notification
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&n); err != nil {
		answer(w, http.StatusBadRequest, outcome{Code: rtcmsg.CodeInvalidArgument.String(), Error: err.Error()})
		return
	}
	// If the HTTP client disconnects, a notification that is still queued is not sent.
	ctx, cancel := context.WithTimeout(r.Context(), sendTimeout)
	defer cancel()
	report, err := f.send(ctx, n)
	answer(w, status(err), told(report, err))
}

func (f *forwarder) send(ctx context.Context, n notification) (*rtcmsg.Report, error) {
	if n.Everybody && len(n.To) == 0 {
		return f.client.SendCustomCommandToRoom(ctx, rtcmsg.CustomCommandToRoom{RoomID: n.Room, From: "forwarder", Text: n.Text})
	}
	return f.client.SendCustomCommandToUsers(ctx,
		rtcmsg.CustomCommandToUsers{RoomID: n.Room, From: "forwarder", To: n.To, Text: n.Text})
}

// status says whether the caller may try again: after 503 always, after 504 only if a duplicate is harmless.
func status(err error) int {
	switch {
	case err == nil, errors.Is(err, rtcmsg.ErrPartial):
		return http.StatusOK
	case errors.Is(err, rtcmsg.ErrInvalidArgument):
		return http.StatusBadRequest
	case errors.Is(err, rtcmsg.ErrOutcomeUnknown):
		return http.StatusGatewayTimeout
	case errors.Is(err, rtcmsg.ErrNotSent), errors.Is(err, rtcmsg.ErrThrottled):
		return http.StatusServiceUnavailable
	default:
		return http.StatusBadGateway
	}
}

func told(report *rtcmsg.Report, err error) outcome {
	o := outcome{Code: rtcmsg.CodeOK.String()}
	var failed *rtcmsg.Error
	if errors.As(err, &failed) {
		o.Code, o.Error = failed.Code.String(), failed.Error()
	}
	if report != nil {
		o.Delivery = report.Delivery.String()
		for _, r := range report.Recipients {
			o.Recipients = append(o.Recipients, recipient{r.User, r.Delivery.String()})
		}
	}
	return o
}

func answer(w http.ResponseWriter, status int, o outcome) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(o); err != nil {
		slog.Warn("an answer was not taken", "error", err)
	}
}
