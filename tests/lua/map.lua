-- SPDX-License-Identifier: BSL-1.0
local mc, t, native = require "multicore", require "check", require "native"

t.test("ordered results", function()
    local list = {}
    for i = 1, 100 do list[i] = i end
    local r = mc.map(function(v, i) for _ = 1, v % 5 do mc.yield() end t.eq(v, i) return v * v end, list, 7)
    for i = 1, 100 do t.eq(r[i], i * i) end
    t.eq(#r, 100)
    t.eq(#mc.map(print, {}), 0)
    t.eq(mc.map(function() end, {1, 2})[1], nil)
end)

t.test("as many at once as the limit says, and no more", function()
    local slots, barrier = mc.semaphore(4), native.barrier(4)
    mc.map(function()
        t.eq(slots:try(), true)
        barrier:wait()
        slots:release()
    end, {1, 2, 3, 4, 5, 6, 7, 8}, 4)
end)

t.test("the first error, once the others have ended", function()
    local ended, started, failing, barrier = {}, {}, false, native.barrier(4)
    local err = t.raises("bad 2", mc.map, function(v)
        started[v] = true
        barrier:wait()
        if v == 2 then failing = true error("bad " .. v) end
        repeat mc.sleep(0.001) until failing
        mc.sleep(0.001)
        ended[v] = true
        if v == 3 then error("bad " .. v) end
    end, {1, 2, 3, 4, 5, 6, 7, 8}, 4)
    t.match(err, "stack traceback")
    for v = 1, 8 do
        t.eq(started[v], v <= 4 or nil, v)
        t.eq(ended[v], v <= 4 and v ~= 2 or nil, v)
    end
    local thing = {}
    local ok, e = pcall(mc.map, function() error(thing) end, {1})
    t.eq(e, thing)
end)

t.test("an interrupt of the caller reaches the tasks", function()
    local begun, stopped = {}, {}
    local task = mc.spawn(function()
        mc.map(function(v)
            begun[v] = true
            local ok, e = pcall(mc.sleep, 3600)
            stopped[v] = true
            error(e, 0)
        end, {1, 2, 3}, 3)
    end)
    t.eventually(function() return begun[1] and begun[2] and begun[3] end)
    task:interrupt("enough")
    t.raises("enough", task.join, task)
    for v = 1, 3 do t.eq(stopped[v], true) end
end)

t.test("an error of the list itself, and what is no plain table or function", function()
    local function list(index) return setmetatable({}, {__len = function() return 20 end, __index = index}) end
    t.raises("from __index", mc.map, tostring, list(function(_, i) if i > 3 then error("from __index") end end))
    local f = setmetatable({}, {__call = function(_, v, i) return v + i end})
    t.eq(mc.map(f, list(function(_, i) mc.yield() return 10 * i end))[20], 220)
end)

t.test("not in an atomic scope, and then nothing is begun", function()
    local alive, begun = mc.stats().tasks_alive, false
    local atomic = mc.scope "atomic"
    t.raises("map: .*leave the atomic scope first", mc.map, function() begun = true end, {1, 2, 3})
    t.eq(mc.stats().tasks_alive, alive)
    atomic:close()
    mc.yield()
    t.eq(begun, false)
end)

t.test("inside a map, inside a task", function()
    local r = mc.spawn(function()
        return mc.map(function(v) return mc.map(function(w) native.section() return v * w end, {1, 2, 3}) end, {1, 10})
    end):join()
    t.eq(r[2][3], 30)
end)

t.test("no limit", function()
    local barrier = native.barrier(20)
    t.eq(#mc.map(function(v) barrier:wait() return v end, t.pack(("x"):rep(20):byte(1, -1)), math.huge), 20)
end)

t.test("wrong arguments", function()
    t.raises("bad argument #1 to '[%w.?]*' %(function expected", mc.map)
    t.raises("table expected", mc.map, print, 1)
    t.raises("at least one", mc.map, print, {}, 0)
end)

t.done()
