-- debug.sethook beside preemption. SPDX-License-Identifier: BSL-1.0
local mc, t, native = require "multicore", require "check", require "native"

-- Runs f while another task keeps asking for its turn.
local function pestered(f)
    local over = false
    local pest = mc.spawn(function() while not over do mc.sleep(0.0005) end end)
    local r = t.pack(pcall(f))
    over = true
    pest:join()
    if not r[1] then error(r[2], 0) end
    return t.unpack(r, 2, r.n)
end

t.test("gethook returns what sethook was given", function()
    local function hook() end
    debug.sethook(hook, "crl", 2500)
    local f, mask, count = debug.gethook()
    t.eq(f, hook)
    t.eq(mask, "crl")
    t.eq(count, 2500)
    debug.sethook()
    t.eq(debug.gethook(), nil)
    local co = coroutine.create(function() coroutine.yield() end)
    debug.sethook(co, hook, "l")
    t.eq(debug.gethook(co), hook)
    t.eq(debug.gethook(), nil)
    debug.sethook(co)
    t.eq(debug.gethook(co), nil)
end)

t.test("a line hook sees every line once", function()
    local function run()
        local lines = {}
        local function work()
            local x = 0
            for i = 1, 3000 do
                x = x + i
                x = x - i
            end
        end
        debug.sethook(function(event, line) lines[line] = (lines[line] or 0) + 1 end, "l")
        work()
        debug.sethook()
        local info = debug.getinfo(work, "S")
        local r = {}
        for line = info.linedefined, info.lastlinedefined do r[#r + 1] = lines[line] or 0 end
        return table.concat(r, " ")
    end
    local quiet = run()
    for _ = 1, 10 do t.eq(pestered(run), quiet) end
end)

t.test("a call hook sees every call once", function()
    local function run()
        local calls = 0
        local function f() end
        debug.sethook(function() if debug.getinfo(2, "f").func == f then calls = calls + 1 end end, "c")
        for _ = 1, 5000 do f() end
        debug.sethook()
        return calls
    end
    for _ = 1, 10 do t.eq(pestered(run), 5000) end
end)

t.test("a call whose end is the moment of preemption is seen, too", function()
    local function run()
        local returns = 0
        debug.sethook(function() if debug.getinfo(2, "f").func == native.busy then returns = returns + 1 end end, "r")
        for _ = 1, 200 do native.busy(100) end
        debug.sethook()
        return returns
    end
    for _ = 1, 3 do t.eq(pestered(run), 200) end
end)

t.test("a count hook counts on while others are let in", function()
    local function run(count)
        local n = 0
        debug.sethook(function() n = n + 1 end, "", count)
        for _ = 1, 3000000 do end
        debug.sethook()
        return n
    end
    for _, count in ipairs {100, 2500, 1000000} do
        local quiet = run(count)
        t.eq(quiet > 0, true)
        t.eq(pestered(function() return run(count) end), quiet, "count " .. count)
    end
end)

t.test("a hook that raises an error ends a task", function()
    local task = mc.spawn(function()
        debug.sethook(function() error("too long", 0) end, "", 100000)
        while true do end
    end)
    t.raises("^too long", task.join, task)
    pestered(function()
        task = mc.spawn(function()
            debug.sethook(function() error("too long", 0) end, "", 100000)
            while true do end
        end)
        t.raises("^too long", task.join, task)
    end)
end)

t.test("tasks under a hook are preempted and interrupted", function()
    for _, mask in ipairs {"", "l", "crl"} do
        local flag = false
        local task = mc.spawn(function()
            debug.sethook(function() end, mask, mask == "" and 1000000000 or 0)
            flag = true
            while true do end
        end)
        while not flag do mc.yield() end
        task:interrupt("stop")
        t.raises("^stop", task.join, task)
    end
end)

t.test("a hook may release and suspend", function()
    local n = 0
    debug.sethook(function() n = n + 1 native.section() mc.yield() end, "l")
    local x = 1
    x = x + 1
    debug.sethook()
    t.eq(n, 3)
end)

t.test("each task and coroutine has its own", function()
    local mine, theirs = 0, 0
    debug.sethook(function() mine = mine + 1 end, "", 1000)
    mc.spawn(function() for _ = 1, 100000 do end end):join()
    coroutine.wrap(function() for _ = 1, 100000 do end end)()
    local before = mine
    mc.spawn(function()
        debug.sethook(function() theirs = theirs + 1 end, "", 1000)
        for _ = 1, 100000 do end
        debug.sethook()
    end):join()
    debug.sethook()
    t.eq(before < 20, true)
    t.eq(theirs >= 100, true)
end)

t.test("wrong arguments", function()
    t.raises("string expected", debug.sethook, print)
    t.raises("function expected", debug.sethook, 1, "l")
end)

t.test_with("coroutine.close", "close behaves as it did", function()
    t.raises("bad argument #1 to '[%w.]*close' %(coroutine expected, got no value%)", coroutine.close)
    t.raises("^cannot close a running coroutine$", coroutine.close, coroutine.running())
    local outer = coroutine.running()
    t.raises("cannot close a normal coroutine", coroutine.wrap(function() coroutine.close(outer) end))
    local thing = {}
    local co = coroutine.create(function()
        t.code "local c <close> = ... coroutine.yield()"(setmetatable({}, {__close = function() error(thing) end}))
    end)
    t.eq(coroutine.close(coroutine.create(print)), true)
    coroutine.resume(co)
    local ok, err, more = coroutine.close(co)
    t.eq(ok, false)
    t.eq(err, thing)
    t.eq(more, nil)
    t.eq(coroutine.close(co), true)
    t.eq(coroutine.status(co), "dead")
    local sleeping
    local sleeper = mc.spawn(function()
        sleeping = coroutine.create(function() mc.sleep(3600) end)
        coroutine.resume(sleeping)
    end)
    t.eventually(function() return sleeper:status() == "suspended" end)
    t.raises("cannot close a normal coroutine", coroutine.close, sleeping)
    sleeper:interrupt()
    sleeper:join()
end)

t.test("resume and wrap behave as they did", function()
    t.raises("coroutine expected", coroutine.resume, 1)
    t.raises("function expected", coroutine.wrap, 1)
    local co = coroutine.create(function(a, ...) local b = coroutine.yield(a, ...) error({b}) end)
    t.eq(select("#", coroutine.resume(co, 1, nil, nil)), 4)
    local ok, err = coroutine.resume(co, "b")
    t.eq(ok, false)
    t.eq(err[1], "b")
    t.eq(select(2, coroutine.resume(co)), "cannot resume dead coroutine")
    coroutine.wrap(function()
        t.match(select(2, coroutine.resume(coroutine.running())), "^cannot resume %a+%-?%a* coroutine$")
        local outer = coroutine.running()
        coroutine.wrap(function()
            t.match(select(2, coroutine.resume(outer)), "^cannot resume %a+%-?%a* coroutine$")
        end)()
    end)()
    local wrapped = coroutine.wrap(function() error("inside") end)
    t.raises("hooks%.lua:%d+: .*hooks%.lua:%d+: inside", function() wrapped() end)
    t.raises("cannot resume dead coroutine", function() wrapped() end)
end)

t.test_with("to-be-closed variables", "wrap closes what the coroutine leaves behind", function()
    local closed = false
    local wrapped = coroutine.wrap(function()
        t.code "local c <close> = ... error('inside')"(setmetatable({}, {__close = function() closed = true end}))
    end)
    t.raises("inside", wrapped)
    t.eq(closed, true)
end)

t.done()
