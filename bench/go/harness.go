// Package bench is what the Go subjects share: arguments, the messages, goroutines, clocks and the line that is printed.
// What is printed and why is said in bench/c/harness.h.
package bench

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// WarmUp is the number of sends of each goroutine that are not measured.
const WarmUp = 50

// Run holds the arguments, CASE URL THREADS COUNT, and the message of the case.
type Run struct {
	Case, URL      string
	Threads, Count int
	Room, From     string
	To             []string
	Text           string
}

// Arguments reads the command line.
func Arguments() Run {
	if len(os.Args) != 5 {
		Fail("takes CASE URL THREADS COUNT")
	}
	run := Run{Case: os.Args[1], URL: os.Args[2], Threads: number(os.Args[3]), Count: number(os.Args[4]), From: "server"}
	users, length := 1, 100
	switch run.Case {
	case "unicast-100":
	case "unicast-60k":
		length = 60 * 1024
	case "batch-600":
		users, run.Room = 600, "lobby"
	case "command-10":
		users, run.Room = 10, "lobby"
	default:
		Fail("no case: " + run.Case)
	}
	for n := 1; n <= users; n++ {
		run.To = append(run.To, fmt.Sprintf("user-%04d", n))
	}
	run.Text = strings.Repeat("0123456789", length/10)
	return run
}

// Go sends the messages and prints the figures. A send that fails ends the program.
func Go(run Run, send func() error) {
	each := run.Count / run.Threads
	samples := make([]int64, each*run.Threads)
	var warm, done sync.WaitGroup
	warm.Add(run.Threads)
	done.Add(run.Threads)
	start := make(chan struct{})
	once := func() {
		if err := send(); err != nil {
			Fail(err.Error())
		}
	}
	for thread := range run.Threads {
		mine := samples[thread*each : (thread+1)*each]
		go func() {
			for range WarmUp {
				once()
			}
			warm.Done()
			<-start
			for i := range mine {
				begun := time.Now()
				once()
				mine[i] = time.Since(begun).Nanoseconds()
			}
			done.Done()
		}()
	}
	warm.Wait()
	begun, cpu := time.Now(), CPUNanoseconds()
	close(start)
	done.Wait()
	Print(samples, time.Since(begun).Nanoseconds(), CPUNanoseconds()-cpu)
}

// Print writes the line of figures; wall and cpu are nanoseconds of all sends together.
func Print(samples []int64, wall, cpu int64) {
	peak := peakKB()
	slices.Sort(samples)
	at := func(share float64) int64 { return samples[int(share*float64(len(samples)-1)+0.5)] }
	sends := float64(len(samples))
	fmt.Printf("{\"p50_ns\": %d, \"p99_ns\": %d, \"wall_ns\": %.1f, \"cpu_ns\": %.1f, \"peak_kb\": %d, \"sends\": %d}\n",
		at(0.5), at(0.99), float64(wall)/sends, float64(cpu)/sends, peak, len(samples))
}

// Fail ends the program with a word.
func Fail(why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		Fail("no number: " + text)
	}
	return n
}

// CPUNanoseconds is what the process has used, in user and kernel mode.
func CPUNanoseconds() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		Fail(err.Error())
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func peakKB() int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		Fail(err.Error())
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	return number(strings.Fields(rest)[0])
}
