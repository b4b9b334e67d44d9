-- Three stages joined by channels. Each stage is a task; a full channel holds its sender back.
-- SPDX-License-Identifier: BSL-1.0 OR CC0-1.0
local mc = require "multicore"

local lines, words = mc.channel(8), mc.channel(8)

mc.spawn {name = "read", function()
    for line in io.lines(arg[1] or arg[0]) do lines:send(line) end
    lines:close()
end}

mc.spawn {name = "split", function()
    for line in lines do
        for word in line:gmatch "%a+" do words:send(word) end
    end
    words:close()
end}

local count = {}
for word in words do count[word] = (count[word] or 0) + 1 end

local list = {}
for word in pairs(count) do list[#list + 1] = word end
table.sort(list, function(a, b) return count[a] > count[b] or count[a] == count[b] and a < b end)
for i = 1, math.min(5, #list) do print(count[list[i]], list[i]) end
