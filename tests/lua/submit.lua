-- mc.submit: functions of C modules, run without a task.
-- SPDX-License-Identifier: BSL-1.0
local mc, t, native = require "multicore", require "check", require "native"

local function collected(n)
    local freed = 0
    t.eventually(function()
        collectgarbage()
        freed = freed + native.disposed()
        return freed >= n
    end)
    t.eq(freed, n)
end

t.test("join returns the results, again and to others", function()
    local job = mc.submit(native.multiply, 6, 7)
    local task = mc.spawn(function() return job:join() end)
    for _ = 1, 2 do
        local product, word = job:join()
        t.eq(product, 42)
        t.eq(word, "times")
    end
    t.eq(task:join(), 42)
    t.match(tostring(job), "^job %(over%)")
end)

t.test("many, joined by tasks and by the main task", function()
    local jobs, sum = {}, 0
    for i = 1, 500 do jobs[i] = mc.submit(native.multiply, i, 2) end
    local squares = mc.map(function(i) return (mc.submit(native.multiply, i, i):join()) end, {1, 2, 3, 4, 5})
    for i = 1, 500 do sum = sum + jobs[i]:join() end
    t.eq(sum, 250500)
    t.eq(table.concat(squares, " ", 1, 3):gsub("%.0", ""), "1 4 9")
end)

t.test("others run while a task joins; two jobs are at work at once", function()
    local entered, gate = native.gate(), native.gate()
    local first, second = mc.submit(native.pass, entered, gate), mc.submit(native.pass, entered, gate)
    local joined = 0
    local task = mc.spawn(function() first:join() second:join() joined = joined + 1 end)
    entered:pass()
    entered:pass()
    mc.yield()
    t.eq(joined, 0)
    gate:open(2)
    task:join()
    t.eq(joined, 1)
end)

t.test("a timeout", function()
    local entered, gate = native.gate(), native.gate()
    local job = mc.submit(native.pass, entered, gate)
    for _, timeout in ipairs {0, 0.001} do
        local result, why = job:join(timeout)
        t.eq(result, nil)
        t.eq(why, "timeout")
    end
    gate:open()
    t.eq(job:join(), true)
end)

t.test("the error of finish is raised by each join", function()
    local job = mc.submit(native.fails, 1, 2)
    for _ = 1, 2 do t.raises("failed in finish", job.join, job) end
end)

t.test("cancel", function()
    local entered, gate = native.gate(), native.gate()
    local job = mc.submit(native.pass_or_unblock, entered, gate)
    entered:pass()
    t.eq(job:cancel(), true)
    local result, why = job:join()
    t.eq(result, nil)
    t.eq(why, "cancelled")
    t.eq(job:cancel(), true)

    job = mc.submit(native.pass, entered, gate)
    entered:pass()
    local ok, problem = job:cancel()
    t.eq(ok, false)
    t.eq(problem, "its work cannot be ended")
    gate:open()
    t.eq(job:join(), true)
end)

t.test("a joiner that is interrupted leaves the job alone", function()
    local entered, gate = native.gate(), native.gate()
    local job = mc.submit(native.pass, entered, gate)
    local task = mc.spawn(function() return pcall(job.join, job) end)
    local abandoned = mc.spawn(function() return pcall(job.join, job) end)
    entered:pass()
    t.eventually(function() return task:status() == "suspended" and abandoned:status() == "suspended" end)
    task:interrupt("enough")
    local ok, err = task:join()
    t.eq(ok, false)
    t.eq(err, "enough")
    abandoned:abandon()
    gate:open()
    t.eq(job:join(), true)
end)

t.test("arguments live until the work is over, without a handle too", function()
    collectgarbage()
    collectgarbage()
    native.disposed() -- of earlier tests
    local gate = native.gate()
    local job = mc.submit(native.reverse, gate, ("abc"):rep(1000))
    mc.submit(native.reverse, gate, ("xyz"):rep(1000))
    for _ = 1, 3 do collectgarbage() end
    gate:open(2)
    t.eq(job:join(), ("cba"):rep(1000))
    job = nil
    collected(2)
end)

t.test("mistakes", function()
    t.raises("multicore.function expected", mc.submit, print)
    t.raises("multicore.function expected", mc.submit)
    t.raises("`finish`", mc.submit, native.unfinished, 1, 2)
    t.raises("number expected", mc.submit, native.multiply, 1)
    t.raises("string expected", mc.submit, native.reverse, native.gate())
    collected(2)
end)

t.test("mc.threads is refused meanwhile", function()
    local entered, gate = native.gate(), native.gate()
    local job = mc.submit(native.pass, entered, gate)
    t.raises("1 jobs are under way", mc.threads, {max = 4})
    gate:open()
    job:join()
    mc.threads {max = 4}
    t.eq(mc.submit(native.multiply, 2, 2):join(), 4)
end)

t.done()
