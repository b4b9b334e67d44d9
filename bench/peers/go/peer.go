// The points of the suite in Go with GOMAXPROCS=1, where every cgo call is a section: peer POINT [NUMBER...];
// prints one JSON object.
// SPDX-License-Identifier: BSL-1.0
package main

/*
#cgo CFLAGS: -O2
#cgo LDFLAGS: -lpthread
#include "../../suite/threads.h"
static void nothing(void) {}
static void section(uint64_t steps) { bench_steps(steps); }
*/
import "C"

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"
)

func report(members map[string]float64) {
	text, _ := json.Marshal(members)
	fmt.Println(string(text))
}

// What holds the interpreter in the others is Go code here, compiled: the same steps.
//
//go:noinline
func held(steps uint64) uint64 {
	x := steps
	for ; steps > 0; steps-- {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

func pair() {
	best := 1e9
	for round := 0; round < 7; round++ {
		const count = 500000
		start := time.Now()
		for i := 0; i < count; i++ {
			C.nothing()
		}
		if each := float64(time.Since(start).Nanoseconds()) / count; each < best {
			best = each
		}
	}
	report(map[string]float64{"pair_ns": best})
}

func parallel(tasks, sectionUs float64) {
	rate := float64(C.bench_calibrate())
	steps, heldSteps := C.uint64_t(rate*sectionUs), uint64(rate*sectionUs/10)
	each := int(200000 / sectionUs / tasks)
	if each < 4 {
		each = 4
	}
	var all sync.WaitGroup
	start := time.Now()
	for i := 0; i < int(tasks); i++ {
		all.Add(1)
		go func() {
			for k := 0; k < each; k++ {
				C.section(steps)
				held(heldSteps)
			}
			all.Done()
		}()
	}
	all.Wait()
	parallelism := tasks * float64(each) * sectionUs / 1e6 / time.Since(start).Seconds()
	bound := float64(C.bench_two_thread_speed_up()) * sectionUs / (sectionUs + sectionUs/10)
	report(map[string]float64{"parallelism": parallelism, "bound": bound, "of_bound": parallelism / bound})
}

func compute(goesOn func(time.Time) bool) float64 {
	rounds, start := 0, time.Now()
	for goesOn(start) {
		held(1000)
		rounds++
	}
	return float64(rounds) / time.Since(start).Seconds()
}

func beside(sectionUs float64) {
	const duration = 300 * time.Millisecond
	steps := C.uint64_t(float64(C.bench_calibrate()) * sectionUs)
	C.bench_busy_start()
	alone := compute(func(start time.Time) bool { return time.Since(start) < duration })
	C.bench_busy_stop()
	done := false // only one of the two runs at a time
	kept := make(chan float64)
	go func() { kept <- compute(func(time.Time) bool { return !done }) / alone }()
	count, start := 0, time.Now()
	for time.Since(start) < duration {
		C.section(steps)
		count++
	}
	each := time.Since(start).Seconds() * 1e6 / float64(count)
	done = true
	report(map[string]float64{"us_per_iteration": each, "speed_kept": <-kept})
}

func main() {
	runtime.GOMAXPROCS(1)
	numbers := []float64{}
	for _, text := range os.Args[2:] {
		number, _ := strconv.ParseFloat(text, 64)
		numbers = append(numbers, number)
	}
	switch os.Args[1] {
	case "pair":
		pair()
	case "parallel":
		parallel(numbers[0], numbers[1])
	case "beside":
		beside(numbers[0])
	}
}
