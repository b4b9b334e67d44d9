-- mc.with_deadline. SPDX-License-Identifier: BSL-1.0
local mc, t, native = require "multicore", require "check", require "native"

-- In the main task and in another: f must be ended by its deadline, in all the ways of `run`.
local function ends(f, ...)
    for _, run in ipairs {
        function(...) return mc.with_deadline(0.005, ...) end,
        function(...) return mc.spawn(mc.with_deadline, 0.005, ...):join() end,
        function(...) return coroutine.wrap(mc.with_deadline)(0.005, ...) end,
    } do
        local result, why, err = run(f, ...)
        t.eq(result, nil)
        t.eq(why, "deadline")
        if err then t.match(err, "the deadline has passed") end
        mc.sleep(0) -- nothing is left of it
        t.raises("^later$", function() t.eq(mc.self():interrupt("later"), true) mc.yield() end)
    end
end

t.test("in time: results and errors come out as they are", function()
    t.eq(select("#", mc.with_deadline(3600, function(...) mc.sleep(0) return ... end, 1, nil, nil)), 3)
    t.eq(mc.with_deadline(math.huge, function(v) return v end, "v"), "v")
    local value = {}
    local ok, err = pcall(mc.with_deadline, 3600, function() error(value) end)
    t.eq(err, value)
    t.raises("number expected", mc.with_deadline, "x", print)
    t.raises("value expected", mc.with_deadline, 1)
    t.raises("attempt to call", mc.with_deadline, 1, nil)
end)

t.test("no time: not begun", function()
    t.eq(select(2, mc.with_deadline(0, error)), "deadline")
    t.eq(select(2, mc.with_deadline(-1, error)), "deadline")
end)

t.test("whatever waits", function()
    local channel, semaphore, fd = mc.channel(), mc.semaphore(0), native.pipe()
    local sleeper = mc.spawn(mc.sleep, 3600)
    ends(mc.sleep, 3600)
    ends(channel.receive, channel)
    ends(channel.send, channel, 1)
    ends(semaphore.acquire, semaphore)
    ends(sleeper.join, sleeper)
    ends(mc.wait, fd)
    ends(function() while true do mc.yield() end end)
    t.eq(sleeper:status(), "suspended")
    semaphore:release()
    t.eq(semaphore:try(), true)
    sleeper:cancel()
end)

t.test("it cannot be caught for good", function()
    ends(function() while true do pcall(mc.sleep, 3600) end end)
    ends(function() pcall(mc.sleep, 3600) return "as if in time" end)
    local _, why, err = mc.with_deadline(0.001, function() pcall(mc.sleep, 3600) error "another" end)
    t.eq(why, "deadline")
    t.match(err, "another")
    ends(function() coroutine.wrap(function() while true do pcall(mc.sleep, 3600) end end)() end)
end)

t.test("to-be-closed variables are closed, and may not wait", function()
    local closed, waited = 0, true
    local result, why, err = mc.with_deadline(0.001, function()
        local guard <close> = setmetatable({}, {__close = function()
            closed = closed + 1
            waited = pcall(mc.sleep, 0)
        end})
        mc.sleep(3600)
    end)
    t.eq(why, "deadline")
    t.match(err, "sleep: the deadline has passed")
    t.eq(closed, 1)
    t.eq(waited, false)
end)

t.test("sections are unblocked or polled", function()
    local gate = native.gate()
    ends(function() gate:pass_or_unblock() mc.yield() end)
    ends(function() native.poll_cancelled() mc.yield() end)
    ends(function() while true do pcall(function() gate:pass_or_unblock() mc.yield() end) end end)
end)

t.test("nested: the outer one outranks the inner one", function()
    local inner_returned, why = false, nil
    local result, outer = mc.with_deadline(0.005, function()
        mc.with_deadline(3600, mc.sleep, 3600)
        inner_returned = true
    end)
    t.eq(outer, "deadline")
    t.eq(inner_returned, false)
    t.eq(mc.with_deadline(3600, function()
        why = select(2, mc.with_deadline(0.001, mc.sleep, 3600))
        mc.sleep(0.001)
        return "in time"
    end), "in time")
    t.eq(why, "deadline")
end)

t.test("an interrupt meanwhile is raised afterwards or before, once", function()
    local task = mc.spawn(function()
        local _, why = mc.with_deadline(0.001, function()
            mc.self():interrupt("pending")
            native.busy(3000)
            while true do mc.yield() end
        end)
        return why
    end)
    local ok, err = pcall(task.join, task)
    t.eq(ok, false)
    t.match(err, "^pending")
end)

t.test("cancelled or abandoned inside", function()
    for _, how in ipairs {"cancel", "abandon"} do
        local task = mc.spawn(mc.with_deadline, 3600, mc.with_deadline, 3600, mc.sleep, 3600)
        t.eventually(function() return task:status() == "suspended" end)
        task[how](task)
        t.eq(select(2, task:join()), "cancelled")
    end
    t.eventually(function() return mc.stats().tasks_alive == 1 end)
end)

t.test("the tasks of a map, and of a block, end too", function()
    local ended = 0
    local function sleep()
        local guard <close> = setmetatable({}, {__close = function() ended = ended + 1 end})
        mc.sleep(3600)
    end
    t.eq(select(2, mc.with_deadline(0.01, mc.map, sleep, {1, 2, 3}, 3)), "deadline")
    t.eq(select(2, mc.with_deadline(0.01, function()
        local child <close> = mc.spawn(sleep)
        child:join()
    end)), "deadline")
    t.eventually(function() return ended == 4 end)
end)

t.test("many, in many tasks", function()
    local late = 0
    mc.map(function(i)
        local _, why = mc.with_deadline(i % 2 == 0 and 0.002 or 3600, mc.sleep, i % 2 == 0 and 3600 or 0)
        if why == "deadline" then late = late + 1 end
    end, setmetatable({}, {__len = function() return 200 end, __index = function(_, i) return i end}), 100)
    t.eq(late, 100)
    t.eq(mc.stats().tasks_alive, 1)
end)

t.test("mc.threads is refused inside", function()
    t.raises("threads: not inside mc.with_deadline", mc.with_deadline, 3600, mc.threads, {max = 4})
end)

t.done()
