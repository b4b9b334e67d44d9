-- The points of the suite that a script sees: lua5.4 suite.lua POINT [NUMBER...]. Prints one JSON object.
-- SPDX-License-Identifier: BSL-1.0
local mc = require "multicore"
local native = require "lua_module"

-- ns per call, in the fastest of some rounds
local function cost(count, once)
    local best = math.huge
    for _ = 1, 5 do
        local start = native.now()
        for _ = 1, count do once() end
        best = math.min(best, (native.now() - start) / count)
    end
    return best
end

local points = {}

function points.pair()
    local best = math.huge
    for _ = 1, 7 do best = math.min(best, native.pairs(500000)) end
    return {pair_ns = best, call_ns = cost(200000, native.nothing), call_with_pair_ns = cost(200000, native.pair)}
end

function points.tasks()
    local result = {}
    local function in_task(f) return mc.spawn(f):join() end

    local count, start = 200000
    local function yields() for _ = 1, count do mc.yield() end end
    start = native.now()
    local one, two = mc.spawn(yields), mc.spawn(yields)
    one:join()
    two:join()
    result.yield_ns = (native.now() - start) / (2 * count)

    in_task(function()
        local function nothing() end
        result.spawn_join_ns = cost(20000, function() mc.spawn(nothing):join() end)
    end)

    in_task(function()
        local there, back = mc.channel(), mc.channel()
        local other = mc.spawn(function() for value in there do back:send(value) end end)
        result.channel_round_trip_ns = cost(20000, function()
            there:send(true)
            back:receive()
        end)
        there:close()
        other:join()
    end)
    return result
end

-- One task computes in Lua, another goes from section to section.
function points.beside(section_us)
    local seconds = 0.5
    local steps = math.floor(native.calibrate() * section_us)
    local function compute(stop)
        local x, rounds, start = 0, 0, native.now()
        repeat
            for i = 1, 100 do x = x + i end
            rounds = rounds + 1
        until stop(rounds, start)
        return rounds / (native.now() - start)
    end
    native.busy(true)
    local alone = compute(function(rounds, start) return rounds % 100 == 0 and native.now() - start > seconds * 1e9 end)
    native.busy(false)
    local done = false
    local computing = mc.spawn(compute, function() return done end)
    local count, start = math.floor(seconds * 1e6 / (section_us + 10)), nil
    mc.spawn(function()
        start = native.now()
        for _ = 1, count do native.section(steps) end
        start = native.now() - start
        done = true
    end):join()
    return {us_per_iteration = start / count / 1e3, speed_kept = computing:join() / alone}
end

local point = points[arg[1]]
if not point then
    local names = {}
    for name in pairs(points) do names[#names + 1] = name end
    table.sort(names)
    io.stderr:write("usage: suite.lua POINT [NUMBER...]; points: ", table.concat(names, " "), "\n")
    os.exit(2)
end
local members = {}
for name, value in pairs(point(tonumber(arg[2]))) do members[#members + 1] = ('"%s": %.6g'):format(name, value) end
print("{" .. table.concat(members, ", ") .. "}")
