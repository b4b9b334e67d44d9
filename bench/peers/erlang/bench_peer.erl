%% The points of the suite in Erlang with one scheduler: bench_peer:main([Point | Numbers]); prints one JSON object.
%% SPDX-License-Identifier: BSL-1.0
-module(bench_peer).
-export([main/1, section/1, held/1, calibrate/0, speed_up/0, busy_start/0, busy_stop/0]).
-on_load(load/0).

load() -> erlang:load_nif(filename:join(filename:dirname(code:which(?MODULE)), "peer_native"), 0).

section(_) -> erlang:nif_error(not_loaded).
held(_) -> erlang:nif_error(not_loaded).
calibrate() -> erlang:nif_error(not_loaded).
speed_up() -> erlang:nif_error(not_loaded).
busy_start() -> erlang:nif_error(not_loaded).
busy_stop() -> erlang:nif_error(not_loaded).

now_s() -> erlang:monotonic_time(nanosecond) / 1.0e9.

report(Members) ->
    Texts = [io_lib:format("\"~s\": ~g", [Name, float(Value)]) || {Name, Value} <- Members],
    io:format("{~s}~n", [lists:join(", ", Texts)]).

repeat(0, _) -> ok;
repeat(Count, Call) -> Call(), repeat(Count - 1, Call).

main([Point | Numbers]) ->
    point(Point, [number(Text) || Text <- Numbers]),
    halt(0).

number(Text) ->
    case string:to_float(Text) of
        {error, no_float} -> float(list_to_integer(Text));
        {Value, _} -> Value
    end.

point("pair", []) ->
    Count = 20000,
    Rounds = [begin
                  Start = now_s(),
                  repeat(Count, fun() -> section(0) end),
                  (now_s() - Start) * 1.0e9 / Count
              end || _ <- lists:seq(1, 5)],
    report([{"pair_ns", lists:min(Rounds)}]);
point("parallel", [Tasks, Us]) ->
    Rate = calibrate(),
    Steps = trunc(Rate * Us),
    Held = trunc(Rate * Us / 10),
    Each = max(4, trunc(200000 / Us / Tasks)),
    Self = self(),
    Start = now_s(),
    [spawn(fun() -> repeat(Each, fun() -> section(Steps), held(Held) end), Self ! ended end)
     || _ <- lists:seq(1, trunc(Tasks))],
    [receive ended -> ok end || _ <- lists:seq(1, trunc(Tasks))],
    Parallelism = Tasks * Each * Us / 1.0e6 / (now_s() - Start),
    Bound = speed_up() * Us / (Us + Us / 10),
    report([{"parallelism", Parallelism}, {"bound", Bound}, {"of_bound", Parallelism / Bound}]);
point("beside", [Us]) ->
    Seconds = 0.3,
    Steps = trunc(calibrate() * Us),
    busy_start(),
    Alone = compute(fun(Start) -> now_s() - Start < Seconds end),
    busy_stop(),
    Done = atomics:new(1, []),
    Self = self(),
    spawn(fun() -> Self ! {kept, compute(fun(_) -> atomics:get(Done, 1) =:= 0 end) / Alone} end),
    spawn(fun() -> Self ! {each, sections(Steps, Seconds)}, atomics:put(Done, 1, 1) end),
    Each = receive {each, E} -> E end,
    Kept = receive {kept, K} -> K end,
    report([{"us_per_iteration", Each}, {"speed_kept", Kept}]).

compute(GoesOn) -> compute(GoesOn, now_s(), 0).
compute(GoesOn, Start, Rounds) ->
    case GoesOn(Start) of
        true -> sum(100, 0), compute(GoesOn, Start, Rounds + 1);
        false -> Rounds / (now_s() - Start)
    end.

sum(0, Sum) -> Sum;
sum(N, Sum) -> sum(N - 1, Sum + N).

sections(Steps, Seconds) -> sections(Steps, Seconds, now_s(), 0).
sections(Steps, Seconds, Start, Count) ->
    case now_s() - Start < Seconds of
        true -> section(Steps), sections(Steps, Seconds, Start, Count + 1);
        false -> (now_s() - Start) * 1.0e6 / Count
    end.
