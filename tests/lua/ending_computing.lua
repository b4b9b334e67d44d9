-- Scripts that compute are cancelled, and ended by their deadline. SPDX-License-Identifier: BSL-1.0
local mc, t = require "multicore", require "check"

local flag
local bodies = {
    function() flag = true while true do end end,
    function() flag = true while true do pcall(function() while true do end end) end end,
    function() coroutine.wrap(function() flag = true while true do end end)() end,
    function() for _ in coroutine.wrap(function() flag = true while true do coroutine.yield(1) end end) do end end,
    function() table.sort({3, 2, 1}, function() flag = true while true do end end) end,
    function() flag = true while true do pcall(error) end end,
}

t.test("cancel", function()
    for _, body in ipairs(bodies) do
        flag = false
        local closed = false
        local task = mc.spawn(function()
            local guard <close> = setmetatable({}, {__close = function() closed = true end})
            body()
        end)
        while not flag do mc.yield() end
        t.eq(task:cancel(), true)
        t.eq(select(2, task:join()), "cancelled")
        t.eq(closed, true)
    end
end)

t.test("oneself", function()
    local task = mc.spawn(function() mc.self():cancel() while true do end end)
    t.eq(select(2, task:join()), "cancelled")
end)

t.test("abandon", function()
    for _, body in ipairs(bodies) do
        flag = false
        local task = mc.spawn(body)
        while not flag do mc.yield() end
        task:abandon()
        t.eq(select(2, task:join()), "cancelled")
    end
    t.eventually(function() return mc.stats().tasks_alive == 1 end)
end)

t.test("a deadline, in the main task and in another", function()
    for _, body in ipairs(bodies) do
        t.eq(select(2, mc.with_deadline(0.003, body)), "deadline")
        t.eq(select(2, mc.spawn(mc.with_deadline, 0.003, body):join()), "deadline")
    end
end)

t.test("the handler of an error may run to its end", function()
    local sum = 0
    local _, why = mc.with_deadline(0.003, function()
        local guard <close> = setmetatable({}, {__close = function() for i = 1, 1000 do sum = sum + i end end})
        while true do end
    end)
    t.eq(why, "deadline")
    t.eq(sum, 500500)
end)

t.done()
