-- Garbage collection around tasks. SPDX-License-Identifier: BSL-1.0
local mc, t, native = require "multicore", require "check", require "native"

t.test("ended tasks are collected, alive ones are not", function()
    local weak, gate = setmetatable({}, {__mode = "v"}), mc.semaphore(0)
    for i = 1, 10 do
        local payload = {}
        weak[i] = payload
        mc.spawn(function() gate:acquire() payload[1] = i end)
    end
    collectgarbage()
    for i = 1, 10 do t.eq(weak[i] ~= nil, true) end
    gate:release(10)
    t.eventually(function() collectgarbage() return next(weak) == nil end)
end)

t.test("no growth over thousands of tasks", function()
    local function round()
        for _ = 1, 200 do
            local tasks = {}
            for i = 1, 10 do tasks[i] = mc.spawn(function(x) mc.yield() return x end, {}) end
            for i = 1, 10 do tasks[i]:join() end
        end
        collectgarbage()
        collectgarbage()
        return collectgarbage "count"
    end
    round()
    local first = round()
    t.eq(round() < first + 100, true)
end)

t.test_with("knowledge of finalisers", "a finaliser cannot suspend, and says so", function()
    local seen
    t.finaliser(function() seen = select(2, pcall(mc.sleep, 0.001)) end)
    collectgarbage()
    t.match(seen, "cannot suspend inside a finaliser")
end)

t.test_with("knowledge of finalisers", "a section in a finaliser is inline; spawn works there", function()
    local ran, ran_inside, task = false, nil, nil
    t.finaliser(function()
        task = mc.spawn(function() ran = true return "spawned" end)
        native.section(5000)
        ran_inside = ran
    end)
    collectgarbage()
    t.eq(ran_inside, false)
    t.eq(task:join(), "spawned")
end)

t.test("the collector works on while tasks are suspended anywhere", function()
    local gate = native.gate()
    local tasks = {}
    for i = 1, 50 do
        tasks[i] = mc.spawn(function()
            local keep = {i}
            local co = coroutine.wrap(function()
                local also = {i}
                if i % 2 == 0 then gate:pass() else mc.sleep(0.005) end
                return also[1]
            end)
            return co() + keep[1]
        end)
    end
    mc.yield()
    for _ = 1, 20 do collectgarbage() local junk = {} for j = 1, 1000 do junk[j] = {} end end
    gate:open(25)
    for i = 1, 50 do t.eq(tasks[i]:join(), 2 * i) end
end)

t.test("finalisers called by a script", function()
    local task = mc.spawn(function() end)
    local finalise = getmetatable(task).__gc
    t.raises("multicore.task expected", finalise, io.stdout)
    t.raises("multicore.task expected", finalise, mc.channel())
    finalise(task)
    finalise(task)
    for _, method in ipairs {"join", "status", "interrupt", "name"} do
        t.raises("has been collected", task[method], task)
    end
    t.raises("has been collected", tostring, task)
    if t.has "to-be-closed variables" then
        t.raises("has been collected", t.code "local task = ... local closed <close> = task", task)
    end
    finalise(mc.self())
    t.eq(mc.self():name(), "main")
    for _, class in ipairs {"task", "channel", "semaphore", "scope", "guardian"} do
        local metatable = debug.getregistry()["multicore." .. class]
        for name, method in pairs(metatable) do
            if type(method) == "function" then t.raises("multicore." .. class .. " expected", method, io.stdout) end
        end
        for name, method in pairs(metatable.__index or {}) do
            t.raises("multicore." .. class .. " expected", method, io.stdout)
        end
    end
end)

t.done()
