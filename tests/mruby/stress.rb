# Many tasks switch in the midst of everything that mruby does on a C stack. Each task computes a checksum of
# a seed of its own; alone, without any switch, it computes the same one.
# SPDX-License-Identifier: BSL-1.0

class Dice
  def initialize(seed)
    @state = seed
  end

  def roll(n)
    @state = (@state * 1103515245 + 12345) % 2147483648
    @state / 65536 % n
  end
end

# Where switches happen, if they do. Some sections say that they may move, some do not.
class Steps
  attr_reader :switches, :threads

  def initialize(seed, concurrent)
    @dice = Dice.new(seed + 7)
    @concurrent = concurrent
    @switches = 0
    @threads = {} # that sections ran on
  end

  def step
    return unless @concurrent
    case @dice.roll(8)
    when 0, 1 then switch { Multicore.pass }
    when 2 then Native.plain_section(@dice.roll(20))
    when 3 then @threads[Native.section] = true
    when 4 then @threads[Native.section(@dice.roll(40))] = true
    when 5 then Native.call_back(1) { |one| switch { Multicore.pass } if one == 1 }
    when 6 then collect
    when 7 then switch { Multicore.sleep(0) }
    end
  end

  def switch
    @switches += 1
    yield
  end

  def collect
    case @dice.roll(12)
    when 0 then GC.start
    when 3 then Native::Handle.new(0) # its finaliser opens a section
    when 1 then GC.generational_mode = true
    when 2 then GC.generational_mode = false
    else Array.new(20) { |i| "garbage #{i}" * 3 }
    end
  end
end

class Ghost
  def initialize(work, n)
    @work = work
    @n = n
  end

  def method_missing(name, *rest)
    @work.step
    "#{name}/#{rest.inspect}/#{@n}"
  end

  def respond_to_missing?(*)
    true
  end

  def to_s
    @work.step
    "ghost #{@n}"
  end

  def inspect
    @work.step
    "<#{@n}>"
  end

  def ==(other)
    @work.step
    other.is_a?(Ghost) && other.n == @n
  end

  def n
    @n
  end
end

class Key
  attr_reader :n

  def initialize(work, n)
    @work = work
    @n = n
  end

  def hash
    @work.step
    @n % 3
  end

  def eql?(other)
    @work.step
    @n == other.n
  end

  def <=>(other)
    @work.step
    @n <=> other.n
  end
  include Comparable
end

class Work
  KINDS = [:rescues, :sorts, :iterates, :fibers, :transfers, :missing, :keys, :natives, :closures, :deep, :strings]

  def initialize(seed, concurrent)
    @dice = Dice.new(seed)
    @steps = Steps.new(seed, concurrent)
    @sum = seed
  end

  def step
    @steps.step
  end

  def switches
    @steps.switches
  end

  def threads
    @steps.threads
  end

  def add(text)
    text.to_s.each_byte { |byte| @sum = (@sum * 31 + byte) % 1000000007 }
  end

  def run(rounds)
    rounds.times { |round| add "#{round} #{__send__(KINDS[round % KINDS.size])}" }
    @sum
  end

  def risky(n)
    step
    raise ArgumentError, "bad #{n}" if n % 3 == 0
    raise "worse #{n}" if n % 3 == 1
    n
  ensure
    step
    add "risky #{n}"
  end

  def rescues
    trace = []
    4.times do
      n = @dice.roll(100)
      begin
        begin
          trace << risky(n)
        rescue ArgumentError => e
          step
          trace << e.message
          raise TypeError, "again #{n}" if n % 2 == 0
        else
          step
          trace << :fine
        ensure
          step
          trace << :ensured
        end
      rescue => e
        step
        trace << "#{e.class} #{e.message}"
      end
    end
    [1, 2, 3].each { |i| step; trace << i; break if i == 2 }
    trace.join(",")
  end

  def sorts
    list = Array.new(8) { @dice.roll(50) }
    by = list.sort_by { |n| step; -n }
    up = list.sort { |a, b| step; a <=> b }
    keys = list.map { |n| Key.new(self, n) }
    [by, up, keys.sort.map(&:n), keys.min.n, keys.max.n, Native.sort(list) { |a, b| step; b <=> a }].inspect
  end

  def iterates
    list = Array.new(6) { @dice.roll(9) + 1 }
    hash = {}
    list.each_with_index { |n, i| step; hash[i] = n }
    text = ""
    hash.each { |k, v| step; text << "#{k}#{v};" }
    sum = list.inject { |a, b| step; a + b }
    picked = list.map { |n| step; n * n }.select { |n| step; n % 2 == 1 }
    found = 1.upto(99) { |i| step if i % 30 == 0; break i if i * sum > 200 }
    [text, sum, picked, found].inspect
  end

  def generator(from, depth)
    Fiber.new do |x|
      3.times do |i|
        step
        x = Fiber.yield(depth == 0 ? "#{from}#{i}#{x}" : generator("#{from}#{i}", depth - 1).resume(x))
        step
      end
      raise "end of #{from}" if depth == 1
      from
    end
  end

  def fibers
    one, two = generator("a", 2), generator("b", 0)
    text = ""
    3.times { |i| step; text << one.resume(i).to_s << two.resume(i).to_s }
    text << one.resume.to_s << one.alive?.to_s
    failing = generator("c", 1)
    begin
      5.times { |i| text << failing.resume(i).to_s }
    rescue => e
      step
      text << e.message
    end
    text << failing.alive?.to_s << two.alive?.to_s # the latter stays suspended
  end

  # Fibers that transfer to each other, and end: all within this task.
  def transfers
    text = []
    outer = Fiber.new do
      back = Fiber.current
      other = Fiber.new do
        step
        text << :other
        back.transfer(:back)
      end
      step
      text << other.transfer
      step
      :done
    end
    text << outer.resume
    step
    text << Fiber.new { Fiber.new { step; :ended }.transfer }.resume # the end of it leads to the task, not to main
    step
    text.inspect
  end

  def missing
    ghost = Ghost.new(self, @dice.roll(9))
    friends = Array.new(4) { |i| Ghost.new(self, i + 2) }
    ["#{ghost} and #{friends.inspect}", ghost.walk(1, :two), friends.include?(ghost), friends.index(ghost),
     friends.join("+"), ghost.through { 1 }].inspect
  end

  def keys
    hash = {}
    Array.new(7) { @dice.roll(6) }.each { |n| hash[Key.new(self, n)] = n }
    copy = hash.dup
    copy.delete(Key.new(self, 3))
    [hash.size, hash.values.sort, copy.size, hash[Key.new(self, 4)], copy.key?(Key.new(self, 2))].inspect
  end

  def natives
    held = Native.hold(@dice.roll(200)) { 3.times { step } }
    sorted = Native.sort([3, 1, 2]) do |a, b|
      Native.call_back(a) { |x| step; x <=> b }
    end
    failed = begin
      Native.sort([2, 1]) { |a, b| step; Native.call_back(a) { |x| step; raise IndexError, "#{x} #{b}" } }
    rescue IndexError => e
      step
      e.message
    end
    Native.resume { step } # mruby 3.1 leaves such a fiber at the first return of a method
    nested = Native.hold(5) { Native.hold(150) { step }; step }
    [held.size, held[-20, 20], sorted, failed, nested.size].inspect
  end

  def closures
    counter = 0
    up = -> { step; counter += 1 }
    3.times { up.call }
    adder = ->(n) { ->(m) { step; n + m + counter } }
    klass = Class.new { define_method(:both) { |a| up.call + a } }
    [adder[1][2], klass.new.both(3), counter, catch_return].inspect
  end

  def catch_return
    [5, 6, 7].each { |n| step; return n if n == 6 }
  end

  def deep(n = 20)
    return (step; "bottom") if n == 0
    ["x"].map { |x| deep(n - 1) }.first
  end

  def strings
    list = Array.new(5) { |i| "part #{i} #{@dice.roll(1000)}" }
    list.map { |s| step; s.upcase.reverse.sub("TRAP") { |m| step; m.downcase } }.join("|")
  end
end

# lends: the interpreter changes threads; else tasks do, in their sections.
def stress(tasks, rounds, lends)
  alone = Array.new(tasks) { |i| Work.new(i + 1, false).run(rounds) }
  before = Multicore.stats
  threads, section_threads = {}, {}
  gate = Native::Gate.new # all but the last wait for it at once, each in a section of its own thread
  GC.start
  GC.disable # between two steps of a sweep those could not be lent
  running = Array.new(tasks) do |i|
    Multicore.spawn(i + 1) do |seed|
      seed < tasks ? gate.pass : (tasks - 1).times { gate.open }
      GC.enable
      threads[Native.thread] = true
      work = Work.new(seed, true)
      sum = work.run(rounds)
      threads[Native.thread] = true
      section_threads.merge!(work.threads)
      [sum, work.switches]
    end
  end
  results = running.map { |task| Multicore.pass; task.value }
  after = Multicore.stats
  results.each_with_index do |(sum, _), i|
    raise "task #{i + 1} computed #{sum}, alone #{alone[i]}" if sum != alone[i]
  end
  switches = results.inject(0) { |sum, (_, n)| sum + n }
  raise "sections on one thread only" if section_threads.size < 2
  handoffs = after[:handoffs] - before[:handoffs]
  if lends
    raise "the interpreter on one thread only" if handoffs < tasks || threads.size < 2
  else
    raise "the interpreter left its thread" if handoffs > 0 || threads.keys != [Native.thread]
    moved = after[:sections] - after[:sections_inline] - before[:sections] + before[:sections_inline]
    raise "only #{moved} sections moved" if moved < tasks * rounds / 10
  end
  switches
end
