-- The end of a state with jobs.
-- SPDX-License-Identifier: BSL-1.0
local t = require "check"

t.test("the state ends with jobs at work and waiting", function()
    local text = [[
        local mc, native = require "multicore", require "native"
        mc.threads {max = 2}
        local entered, gate = native.gate(), native.gate()
        %s
        entered:pass()
        for i = 1, 10 do mc.submit(native.multiply, i, i) end
        io.write "end"
    ]]
    local output, how, code = t.program(text:format "mc.submit(native.pass_or_unblock, entered, gate)")
    t.eq(output, "end")
    t.eq(how .. code, "exit0")
    output, how, code = t.program(text:format "mc.submit(native.pass, entered, gate)")
    t.match(output, "1 task is still in a section")
    t.match(output, "end$")
    t.eq(how .. code, "exit0")
end)

t.done()
