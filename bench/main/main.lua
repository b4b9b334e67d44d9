-- The main job: a stock Lua interpreter hashes real files through a native module, with multicore
-- disabled and enabled, beside plain C threads that hash the same files. Started by bench/run.
-- SPDX-License-Identifier: BSL-1.0

local MIB = 1024 * 1024

local function fail(...)
  io.stderr:write("bench: ", string.format(...), "\n")
  os.exit(1)
end

-- For the shell, whatever the name.
local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- For people: names may hold newlines and worse.
local function shown(name)
  return (name:gsub("[%c\\]", function(c) return string.format("\\x%02x", c:byte()) end))
end

local function read_file(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

local function median(numbers)
  local sorted = table.move(numbers, 1, #numbers, 1, {})
  table.sort(sorted)
  local middle = (#sorted + 1) // 2
  return #sorted % 2 == 1 and sorted[middle] or (sorted[middle] + sorted[middle + 1]) / 2
end

local function spread(numbers)
  return (math.max(table.unpack(numbers)) - math.min(table.unpack(numbers))) / median(numbers)
end

-- At most 20 of them; the number is told elsewhere.
local function name_some(what, names)
  for i = 1, math.min(#names, 20) do io.stderr:write("bench: ", what, ": ", names[i], "\n") end
  if #names > 20 then io.stderr:write("bench: and ", #names - 20, " more\n") end
end

---------------------------------------------------------------------------- options

local function options(arguments)
  local o = {paths = {}, rounds = 5, max_mib = 512, threads = tonumber(os.getenv "BENCH_CPUS") or 2,
    scratch = os.getenv "BENCH_SCRATCH", ceiling = os.getenv "BENCH_CEILING",
    terminal = os.getenv "BENCH_TERMINAL" == "1"}
  local names = {["--rounds"] = "rounds", ["--max-mib"] = "max_mib", ["--tasks"] = "tasks"}
  local i = 1
  while i <= #arguments do
    local argument = arguments[i]
    if names[argument] then
      i = i + 1
      local number = math.tointeger(tonumber(arguments[i]))
      if not number or number < 1 then fail("%s needs a whole number from 1", argument) end
      o[names[argument]] = number
    elseif argument == "--" then
      table.move(arguments, i + 1, #arguments, #o.paths + 1, o.paths)
      break
    elseif argument:find "^%-" then
      fail("unknown option %s; ./bench/run --help tells the known ones", argument)
    else
      o.paths[#o.paths + 1] = argument
    end
    i = i + 1
  end
  if #o.paths == 0 then o.paths = {"/usr/lib"} end
  -- One hashes on each CPU, and one more stands ready: beyond that they only take turns.
  o.tasks = o.tasks or o.threads + 1
  if not o.scratch or not o.ceiling then fail("start this by ./bench/run") end
  return o
end

---------------------------------------------------------------------------- the list

-- Regular files below the paths, in byte order, up to the limit. What find complains about is named.
local function walk(o)
  local roots = {}
  for i, path in ipairs(o.paths) do roots[i] = quoted(path:find "^%-" and "./" .. path or path) end
  local complaints = o.scratch .. "/complaints"
  local find = assert(io.popen("LC_ALL=C find " .. table.concat(roots, " ")
    .. " -type f -printf '%s %p\\0' 2>" .. quoted(complaints)))
  local text = find:read("a")
  find:close()

  local sizes, names = {}, {}
  for size, name in text:gmatch "(%d+) ([^\0]+)\0" do
    if not sizes[name] then names[#names + 1] = name end
    sizes[name] = tonumber(size)
  end
  table.sort(names)

  local list, bytes = {}, 0
  for _, name in ipairs(names) do
    if bytes + sizes[name] <= o.max_mib * MIB then
      list[#list + 1] = name
      bytes = bytes + sizes[name]
    end
  end
  local bad = {}
  for line in read_file(complaints):gmatch "[^\n]+" do bad[#bad + 1] = (line:gsub("^find: ", "")) end
  return list, #names - #list, bad
end

-- What coreutils says, by name. This also fills the page cache. -z: names are not escaped.
local function expected_digests(list_file)
  local sum = assert(io.popen("xargs -0 sha256sum -z -- <" .. quoted(list_file) .. " 2>/dev/null"))
  local text = sum:read("a")
  sum:close()
  local digests = {}
  for hex, name in text:gmatch "(%x+) [ *]([^\0]+)\0" do digests[name] = hex end
  return digests
end

---------------------------------------------------------------------------- the job

local function progress(o, label)
  if not o.terminal then return function() end, function() end end
  local mc = require "multicore"
  local last = 0
  return function(done, all)
    local now = mc.now()
    if now - last < 0.1 then return end
    last = now
    io.stderr:write(string.format("\r%s: %d of %d files \27[K", label, done, all))
  end, function() io.stderr:write "\r\27[K" end
end

-- Hashes the list once. Returns seconds, bytes, digests by name, and messages by name.
local function hash_all(o, list, label)
  local mc, sha256 = require "multicore", require "sha256"
  local digests, messages, bytes, done = {}, {}, 0, 0
  local show, clear = progress(o, label)
  local began = mc.now()
  mc.map(function(name)
    local hex, more = sha256.file(name)
    if hex then
      digests[name], bytes = hex, bytes + more
    else
      messages[name] = more
    end
    done = done + 1
    show(done, #list)
  end, list, o.tasks)
  local seconds = mc.now() - began
  clear()
  return seconds, bytes, digests, messages
end

local function run_ceiling(o, list_file)
  local program = assert(io.popen(string.format("%s %s %d", quoted(o.ceiling), quoted(list_file), o.threads)))
  local line = program:read("a")
  local fine = program:close()
  local seconds, files, bytes = line:match "^(%S+) (%d+) (%d+)"
  if not fine or not seconds then fail("the ceiling program failed") end
  return tonumber(seconds), tonumber(files), tonumber(bytes)
end

-- Names whose digest is not what sha256sum said, or that only one of the two could read.
local function differences(list, digests, expected)
  local wrong = {}
  for _, name in ipairs(list) do
    if digests[name] ~= expected[name] then
      wrong[#wrong + 1] = string.format("%s: %s instead of %s", shown(name), digests[name] or "no digest",
        expected[name] or "none")
    end
  end
  return wrong
end

local function counted(after, before)
  return {sections = after.sections - before.sections, handoffs = after.handoffs - before.handoffs}
end

local function measure(o, list, list_file, expected)
  local mc = require "multicore"
  local times = {disabled = {}, enabled = {}, ceiling = {}}
  local seen = {files = {}, bytes = {}, wrong = {}, unreadable = {}, sections = {}, handoffs = {}}
  for round = 1, o.rounds do
    for _, way in ipairs {"disabled", "enabled"} do
      mc.enable(way == "enabled")
      collectgarbage()
      local before = mc.stats()
      local seconds, bytes, digests, messages =
        hash_all(o, list, string.format("round %d of %d, multicore %s", round, o.rounds, way))
      local counts = counted(mc.stats(), before)
      seen.sections[way], seen.handoffs[way] = counts.sections, counts.handoffs
      times[way][round], seen.bytes[way] = seconds, bytes
      seen.files[way] = 0
      for _ in pairs(digests) do seen.files[way] = seen.files[way] + 1 end
      for name, message in pairs(messages) do seen.unreadable[name] = message end
      for _, text in ipairs(differences(list, digests, expected)) do
        seen.wrong[#seen.wrong + 1] = way .. ": " .. text
      end
    end
    times.ceiling[round], seen.files.ceiling, seen.bytes.ceiling = run_ceiling(o, list_file)
  end
  seen.threads = mc.stats().threads_peak
  return times, seen
end

---------------------------------------------------------------------------- the report

local function report(o, times, seen)
  local base = median(times.disabled)
  print(string.format("\n%-24s %8s %9s %9s %9s %9s %8s", "", "files", "MiB", "seconds", "MiB/s", "speed-up",
    "spread"))
  local labels = {disabled = "Lua, multicore disabled", enabled = "Lua, multicore enabled",
    ceiling = string.format("ceiling, %d C threads", o.threads)}
  for _, way in ipairs {"disabled", "enabled", "ceiling"} do
    local seconds, mib = median(times[way]), seen.bytes[way] / MIB
    print(string.format("%-24s %8d %9.1f %9.3f %9.1f %9.2f %7.0f%%", labels[way], seen.files[way], mib, seconds,
      mib / seconds, base / seconds, 100 * spread(times[way])))
  end
  print(string.format("\nmedians of %d interleaved rounds; enabled reaches %.2f of the ceiling", o.rounds,
    median(times.ceiling) / median(times.enabled)))
  print(string.format("enabled: %d tasks, sections %d, hand-overs %d, OS threads %d (with the main one)",
    o.tasks, seen.sections.enabled, seen.handoffs.enabled, seen.threads + 1))
end

local function main(arguments)
  local o = options(arguments)
  local list, cut, bad = walk(o)
  name_some("bad path", bad)
  if #list == 0 then fail("no files to hash (%d bad paths)", #bad) end

  local list_file = o.scratch .. "/list"
  local file = assert(io.open(list_file, "wb"))
  file:write(table.concat(list, "\0"), "\0")
  file:close()
  print(string.format("%d files%s below %s", #list,
    cut > 0 and string.format(" (%d more are beyond %d MiB)", cut, o.max_mib) or "",
    shown(table.concat(o.paths, " "))))

  if o.terminal then io.stderr:write "\rwarming the cache with sha256sum \27[K" end
  local expected = expected_digests(list_file)
  if o.terminal then io.stderr:write "\r\27[K" end

  local times, seen = measure(o, list, list_file, expected)
  local unreadable = {}
  for name, message in pairs(seen.unreadable) do unreadable[#unreadable + 1] = shown(name) .. ": " .. message end
  table.sort(unreadable)
  name_some("unreadable", unreadable)
  name_some("wrong", seen.wrong)

  report(o, times, seen)
  print(string.format("unreadable files: %d, bad paths: %d", #unreadable, #bad))
  print("digests equal: " .. (#seen.wrong == 0 and "yes" or "no"))
  return #seen.wrong == 0
end

os.exit(main(arg), true)
