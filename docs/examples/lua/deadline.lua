-- Gives a task a deadline: join with a timeout, then interrupt. The task cleans up after itself.
-- SPDX-License-Identifier: BSL-1.0 OR CC0-1.0
local mc = require "multicore"

local function within(seconds, f, ...)
    local task = mc.spawn(f, ...)
    local result = table.pack(task:join(seconds))
    if result[1] == nil and result[2] == "timeout" then
        task:interrupt("too late")
        return task:join() -- raises "too late", unless it was done after all
    end
    return table.unpack(result, 1, result.n)
end

local function slow(n)
    local guard <close> = setmetatable({}, {__close = function() print("slow(" .. n .. ") cleans up") end})
    mc.sleep(n)
    return "slow(" .. n .. ") is done"
end

print(within(1, slow, 0.001))
print(select(2, pcall(within, 0.01, slow, 60)):match "^[^\n]*")
