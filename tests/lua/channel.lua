-- SPDX-License-Identifier: BSL-1.0
local mc, t = require "multicore", require "check"

local function waiting(task) t.eventually(function() return task:status() == "suspended" end) end

t.test("buffered: in order, full, empty", function()
    local ch = mc.channel(2)
    t.eq(ch:send(1), true)
    t.eq(ch:send(false), true)
    t.eq(#ch, 2)
    t.eq(select(2, ch:send(3, 0)), "timeout")
    t.eq(select(2, ch:send(3, 0.001)), "timeout")
    t.eq(ch:receive(), 1)
    t.eq(ch:receive(), false)
    t.eq(select(2, ch:receive(0)), "timeout")
    t.eq(select(2, ch:receive(0.001)), "timeout")
end)

t.test("unbuffered: a rendezvous", function()
    local ch, sent = mc.channel(), false
    local task = mc.spawn(function() t.eq(ch:send("x"), true) sent = true end)
    waiting(task)
    t.eq(sent, false)
    t.eq(ch:receive(), "x")
    task:join()
    t.eq(sent, true)
    local receiver = mc.spawn(function() return ch:receive() end)
    waiting(receiver)
    t.eq(ch:send("y", 0), true)
    t.eq(receiver:join(), "y")
end)

t.test("order is kept through a full buffer", function()
    local ch = mc.channel(3)
    local producer = mc.spawn(function() for i = 1, 100 do ch:send(i) end ch:close() end)
    local n = 0
    for v in ch do n = n + 1 t.eq(v, n) if n % 7 == 0 then mc.yield() end end
    t.eq(n, 100)
    producer:join()
end)

t.test("many senders, many receivers: nothing lost, nothing twice", function()
    for _, capacity in ipairs {0, 1, 10} do
        local ch, seen, tasks, receivers = mc.channel(capacity), {}, {}, {}
        for i = 1, 10 do
            tasks[i] = mc.spawn(function() for j = 1, 50 do ch:send(i * 1000 + j) if j % 11 == 0 then mc.yield() end end end)
            receivers[i] = mc.spawn(function()
                local n = 0
                for v in ch do t.eq(seen[v], nil) seen[v] = true n = n + 1 end
                return n
            end)
        end
        for i = 1, 10 do tasks[i]:join() end
        ch:close()
        local n = 0
        for i = 1, 10 do n = n + receivers[i]:join() end
        t.eq(n, 500)
    end
end)

t.test("close wakes everybody; the buffer drains", function()
    local ch = mc.channel(1)
    ch:send("kept")
    local sender = mc.spawn(function() return ch:send("refused") end)
    waiting(sender)
    ch:close()
    t.eq(select(2, sender:join()), "closed")
    t.eq(select(2, ch:send(1)), "closed")
    t.eq(ch:receive(), "kept")
    t.eq(select(2, ch:receive()), "closed")
    local empty = mc.channel()
    local receiver = mc.spawn(function() return empty:receive() end)
    waiting(receiver)
    empty:close()
    t.eq(select(2, receiver:join()), "closed")
    for _ in empty do error("nothing is in it") end
    empty:close()
end)

t.test("an interrupted waiter leaves the line", function()
    local ch = mc.channel()
    local first = mc.spawn(function() return ch:receive() end)
    waiting(first)
    local second = mc.spawn(function() return ch:receive() end)
    waiting(second)
    first:interrupt("enough")
    t.raises("enough", first.join, first)
    ch:send("for the second")
    t.eq(second:join(), "for the second")
    local sender = mc.spawn(function() ch:send("never") end)
    waiting(sender)
    sender:interrupt("enough")
    t.raises("enough", sender.join, sender)
    t.eq(select(2, ch:receive(0)), "timeout")
end)

t.test("from coroutines", function()
    local ch = mc.channel()
    local task = mc.spawn(function()
        return coroutine.wrap(function() local v = ch:receive() return v, ch:receive() end)()
    end)
    coroutine.wrap(function() ch:send({}) ch:send("b") end)()
    t.eq(select(2, task:join()), "b")
end)

t.test("garbage while values are under way", function()
    local ch = mc.channel()
    local task = mc.spawn(function() for i = 1, 100 do ch:send({i}) collectgarbage("step") end ch:close() end)
    local sum = 0
    for v in ch do collectgarbage() sum = sum + v[1] end
    t.eq(sum, 5050)
end)

t.test("says that it is closed", function()
    local ch = mc.channel()
    ch:close()
    t.match(tostring(ch), "closed")
end)

t.test_with("to-be-closed variables", "closes at the end of its block", function()
    t.code [[
        local kept
        do
            local ch <close> = mc.channel()
            kept = ch
        end
        t.eq(select(2, kept:receive()), "closed")
    ]]()
end)

t.test("wrong arguments", function()
    t.raises("negative", mc.channel, -1)
    t.raises("number expected", mc.channel, "x")
    t.raises("nil cannot be sent", function() mc.channel(1):send() end)
    t.raises("multicore.channel expected", mc.channel().send, {}, 1)
end)

t.test("no limit", function()
    local ch = mc.channel(math.huge)
    for i = 1, 100 do ch:send(i) end
    for i = 1, 100 do t.eq(ch:receive(), i) end
    t.raises("number", mc.channel, 0 / 0)
end)

t.done()
