# The points of the suite in Ruby: peer.rb POINT [NUMBER...]; prints one JSON object.
# SPDX-License-Identifier: BSL-1.0
require "json"
require "peer_native"

def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

def pair = { pair_ns: Array.new(7) { Native.pairs(200_000) }.min }

def parallel(tasks, section_us)
  rate = Native.calibrate
  steps, held = (rate * section_us).to_i, (rate * section_us / 10).to_i
  each = [4, (200_000 / section_us / tasks).to_i].max
  start = now
  Array.new(tasks.to_i) { Thread.new { each.times { Native.section(steps, held) } } }.each(&:join)
  parallelism = tasks * each * section_us / 1e6 / (now - start)
  bound = Native.speed_up * section_us / (section_us + section_us / 10)
  { parallelism:, bound:, of_bound: parallelism / bound }
end

def compute
  rounds, x, start = 0, 0, now
  while yield(start)
    i = 0
    while i < 100
      x += i
      i += 1
    end
    rounds += 1
  end
  rounds / (now - start)
end

def beside(section_us)
  seconds = 0.3
  steps = (Native.calibrate * section_us).to_i
  Native.busy(true)
  alone = compute { |start| now - start < seconds }
  Native.busy(false)
  done = false
  computes = Thread.new { compute { !done } / alone }
  per_iteration = Thread.new do
    count, start = 0, now
    while now - start < seconds
      Native.section(steps, 0)
      count += 1
    end
    done = true
    (now - start) * 1e6 / count
  end
  { us_per_iteration: per_iteration.value, speed_kept: computes.value }
end

points = { "pair" => method(:pair), "parallel" => method(:parallel), "beside" => method(:beside) }
puts JSON.generate(points.fetch(ARGV[0]).call(*ARGV.drop(1).map(&:to_f)))
