// Programs that own their heap: multicore/duktape.h, in C++.
// SPDX-License-Identifier: BSL-1.0
#include <poll.h>

#include <thread>

#include "heap.h"
#include "multicore/extension.h"

namespace {

// The main task, which cannot be shipped, waits until the other one is in its section.
#define PASS_INSIDE "multicore.spawn(native.pass, inside).join()"

class DuktapeWay : public testing::TestWithParam<std::uint32_t> {
protected:
    Heap heap{GetParam()};
};
const auto kWays = testing::Values<std::uint32_t>(MC_WAY_LEND, MC_WAY_SHIP);
std::string way_name(const testing::TestParamInfo<std::uint32_t>& way) {
    return way.param == MC_WAY_LEND ? "lend" : "ship";
}
INSTANTIATE_TEST_SUITE_P(Way, DuktapeWay, kWays, way_name);

TEST(DuktapeEmbed, OpensAndCloses) {
    Heap heap;
    EXPECT_EQ(duk_get_top(heap.js), 0);
    EXPECT_EQ(duk_get_top(heap.root), 0);
    EXPECT_NE(mc_duktape_runtime(heap.js), nullptr);
    EXPECT_EQ(mc_duktape_runtime(heap.root), mc_duktape_runtime(heap.js));
    EXPECT_EQ(heap.run("multicore.spawn(function () { return 'ran' }).join()"), "ran");
}

mc_status seen_status;
duk_ret_t open_here(duk_context* ctx) {
    duk_context* js = nullptr;
    seen_status = mc_duktape_open(ctx, nullptr, MC_WAY_LEND, &js);
    return 0;
}
duk_ret_t close_here(duk_context* ctx) {
    seen_status = mc_duktape_close(ctx, MC_FOREVER);
    return 0;
}

TEST(DuktapeEmbed, RefusesWhatCannotWork) {
    duk_context* root = duk_create_heap_default();
    duk_context* js = nullptr;
    EXPECT_EQ(mc_duktape_runtime(root), nullptr);
    EXPECT_EQ(mc_duktape_close(root, 0), MC_OK);
    EXPECT_EQ(mc_duktape_open(nullptr, nullptr, MC_WAY_LEND, &js), MC_EINVAL);
    EXPECT_EQ(mc_duktape_open(root, nullptr, MC_WAY_LEND, nullptr), MC_EINVAL);
    EXPECT_EQ(mc_duktape_enter(root, &js), MC_EPERM);
    EXPECT_EQ(mc_duktape_leave(root), MC_EPERM);
    duk_push_c_function(root, open_here, 0);
    duk_call(root, 0);
    EXPECT_EQ(seen_status, MC_EPERM);
    {
        Heap other;
        EXPECT_EQ(mc_duktape_open(root, nullptr, MC_WAY_LEND, &js), MC_EPERM);
        EXPECT_EQ(mc_duktape_open(other.root, nullptr, MC_WAY_LEND, &js), MC_EPERM);
        EXPECT_EQ(mc_duktape_leave(other.js), MC_EPERM);
    }
    // What failed left nothing behind.
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.size = 4;
    EXPECT_EQ(mc_duktape_open(root, &options, MC_WAY_LEND, &js), MC_EINVAL);
    EXPECT_EQ(mc_duktape_open(root, nullptr, 77, &js), MC_EINVAL);
    EXPECT_EQ(js, nullptr);
    EXPECT_EQ(Heap::run_in(root, "typeof multicore"), "undefined");
    ASSERT_EQ(mc_duktape_open(root, nullptr, MC_WAY_LEND, &js), MC_OK);
    EXPECT_EQ(Heap::run_in(js, "typeof multicore"), "object");
    EXPECT_EQ(mc_duktape_close(js, 0), MC_OK);
    EXPECT_EQ(mc_duktape_open(root, nullptr, MC_WAY_LEND, &js), MC_EBUSY);
    duk_destroy_heap(root);
}

TEST(DuktapeEmbed, AnyContextOfTheHeapWillDo) {
    duk_context* root = duk_create_heap_default();
    duk_push_thread(root);
    duk_context* other = duk_get_context(root, -1);
    duk_context* js = nullptr;
    ASSERT_EQ(mc_duktape_open(other, nullptr, MC_WAY_LEND, &js), MC_OK);
    EXPECT_EQ(Heap::run_in(
                  js,
                  "var code; (function () {\n"
                  "  var o = {};\n"
                  "  Duktape.fin(o, function () { try { multicore.yield() } catch (e) { code = e.code } });\n"
                  "  o = null\n"
                  "})(); code"),
              "MC_EPERM");
    EXPECT_EQ(mc_duktape_close(js, MC_FOREVER), MC_OK);
    duk_destroy_heap(root);
}

TEST(DuktapeEmbed, ScriptsInTheRootContextCannotSuspend) {
    Heap heap;
    EXPECT_NE(Heap::run_in(heap.root, "multicore.sleep(0)").find("the context that mc_duktape_open gave"),
              std::string::npos);
    EXPECT_EQ(Heap::run_in(heap.root, "native.plainWork(1, 0)"), "1");
    Heap::run_in(heap.root, "var t = multicore.spawn(function () { return 'from the root' })");
    EXPECT_EQ(heap.run("t.join()"), "from the root");
}

TEST(DuktapeEmbed, JobWayHasNoTasks) {
    Heap heap(MC_WAY_JOB);
    EXPECT_EQ(heap.run("try { multicore.spawn(function () {}) } catch (e) { e.code }"), "MC_ENOTSUP");
    EXPECT_EQ(heap.run("multicore.yield(); multicore.sleep(0.001); native.plainWork(1, 0)"), "1");
}

// A native function that computes on the pool, and calls back: all that a host of this way needs.
struct Submitted {
    duk_context* js;
    void* callback;  // in the global stash
    int n, square = 0;
};
duk_ret_t submit_square(duk_context* ctx) {
    auto* job = new Submitted{ctx, duk_require_heapptr(ctx, 1), duk_require_int(ctx, 0)};
    duk_push_global_stash(ctx);
    duk_dup(ctx, 1);
    duk_put_prop_heapptr(ctx, -2, job->callback);
    const mc_status status = mc_job_submit(
        mc_duktape_runtime(ctx),
        [](void* self) {
            auto& submitted = *static_cast<Submitted*>(self);
            submitted.square = submitted.n * submitted.n;
        },
        [](void* self, mc_status) {
            auto* submitted = static_cast<Submitted*>(self);
            duk_context* js = submitted->js;
            duk_push_heapptr(js, submitted->callback);
            duk_push_int(js, submitted->square);
            EXPECT_EQ(duk_pcall(js, 1), DUK_EXEC_SUCCESS) << duk_safe_to_string(js, -1);
            duk_pop(js);
            duk_push_global_stash(js);
            duk_del_prop_heapptr(js, -1, submitted->callback);
            duk_pop(js);
            delete submitted;
        },
        job, nullptr, nullptr);
    EXPECT_EQ(status, MC_OK);
    return 0;
}

TEST(DuktapeEmbed, JobWayCallsBack) {
    Heap heap(MC_WAY_JOB);
    duk_push_c_function(heap.js, submit_square, 2);
    duk_put_global_string(heap.js, "submit");
    heap.run(
        "var sum = 0, left = 100; function add(square) { sum += square; left-- }\n"
        "for (var i = 1; i <= 100; i++) (function (n) { submit(n, function (s) { add(s) }) })(i)");
    while (heap.run("left") != "0") {
        pollfd readable = {mc_runtime_event_fd(mc_duktape_runtime(heap.js)), POLLIN, 0};
        ASSERT_EQ(1, poll(&readable, 1, 10'000));
        ASSERT_GE(mc_runtime_dispatch(mc_duktape_runtime(heap.js), 0), 0);
    }
    EXPECT_EQ(heap.run("sum"), "338350");
}

TEST(DuktapeEmbed, TakesTheRuntimesOptions) {
    duk_context* root = duk_create_heap_default();
    duk_context* js = nullptr;
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.max_threads = 1;
    ASSERT_EQ(mc_duktape_open(root, &options, MC_WAY_LEND, &js), MC_OK);
    native_install(js);
    EXPECT_EQ(Heap::run_in(js,
                           "[1, 2, 3].map(function (i) { return multicore.spawn(native.work, i, 1000) })\n"
                           "  .map(function (t) { return t.join() }).length"),
              "3");
    mc_stats stats = MC_STATS_INIT;
    mc_runtime_stats(mc_duktape_runtime(js), &stats);
    EXPECT_LE(stats.threads_peak, 1u);
    EXPECT_EQ(mc_duktape_close(js, MC_FOREVER), MC_OK);
    duk_destroy_heap(root);
}

TEST(DuktapeEmbed, HeapsOnThreadsOfTheirOwn) {
    auto body = [] {
        for (int i = 0; i < 3; i++) {
            Heap heap;
            EXPECT_EQ(heap.run("var sum = 0, list = [];\n"
                               "for (var i = 1; i <= 8; i++) list.push(multicore.spawn(function (n) {\n"
                               "  for (var k = 0; k < 20; k++) { multicore.yield(); native.work(k, 100) }\n"
                               "  return n }, i));\n"
                               "list.forEach(function (t) { sum += t.join() }); sum"),
                      "36");
        }
    };
    std::thread one(body), two(body);
    one.join();
    two.join();
}

TEST(DuktapeEmbed, OtherThreadsEnter) {
    Heap heap;
    heap.run("var gate = native.gate(), passed = []");
    mc_runtime* runtime = mc_duktape_runtime(heap.js);
    std::thread visitor([&] {
        ASSERT_EQ(mc_attach(runtime, nullptr, MC_FOREVER, nullptr), MC_OK);
        duk_context* js = nullptr;
        ASSERT_EQ(mc_duktape_enter(heap.root, &js), MC_OK);
        duk_context* again = nullptr;
        EXPECT_EQ(mc_duktape_enter(heap.root, &again), MC_EPERM);
        EXPECT_EQ(mc_duktape_close(js, 0), MC_EPERM);
        EXPECT_EQ(Heap::run_in(js,
                               "multicore.sleep(0.001); multicore.yield(); passed.push(multicore.self());\n"
                               "passed.push(multicore.spawn(function () { return 'a visitor' }).join());\n"
                               "native.open(gate)"),
                  "undefined");
        EXPECT_EQ(mc_duktape_leave(js), MC_OK);
        EXPECT_EQ(mc_duktape_leave(js), MC_EPERM);
        EXPECT_EQ(mc_detach(), MC_OK);
    });
    EXPECT_EQ(heap.run("native.pass(gate); passed[1]"), "a visitor");
    mc_release();
    visitor.join();
    mc_acquire();
    EXPECT_EQ(heap.run("passed[0].done + ' ' + passed[0].join()"), "true undefined");
}

TEST(DuktapeEmbed, NoTaskOnAThreadThatDidNotEnter) {
    Heap heap;
    std::string result;
    std::thread visitor([&] {
        ASSERT_EQ(mc_attach(mc_duktape_runtime(heap.js), nullptr, MC_FOREVER, nullptr), MC_OK);
        duk_push_thread(heap.root);
        result = Heap::run_in(duk_get_context(heap.root, -1), "multicore.sleep(1)");
        duk_pop(heap.root);
        mc_detach();
    });
    mc_release();
    visitor.join();
    mc_acquire();
    EXPECT_NE(result.find("call mc_duktape_enter first"), std::string::npos) << result;
}

TEST_P(DuktapeWay, CloseEndsWhatIsLeft) {
    heap.run(
        "var log = [], gate = native.gate(), inside = native.gate();\n"
        "function note(f) { return function () { try { f() } catch (e) { log.push(e.code); throw e }\n"
        "  finally { log.push('finally') } } }\n"
        "var tasks = [note(function () { multicore.sleep(Infinity) }),\n"
        "  note(function () { Duktape.Thread.resume(new Duktape.Thread(function () {\n"
        "    multicore.self().peer.join() })) }),\n"
        "  note(function () { native.passOrUnblock(gate, inside) })].map(function (f) {\n"
        "    return multicore.spawn(f) });\n"
        "tasks[1].peer = tasks[0]; " PASS_INSIDE);
    testing::internal::CaptureStderr();
    duk_push_c_function(heap.js, close_here, 0);
    duk_put_global_string(heap.js, "close");
    EXPECT_EQ(heap.run("multicore.spawn(close).join()"), "undefined");
    EXPECT_EQ(seen_status, MC_EPERM);
    heap.run("var unrun = multicore.spawn(function () { log.push('ran') })");
    EXPECT_EQ(mc_duktape_close(heap.js, MC_FOREVER), MC_OK);
    EXPECT_EQ(mc_duktape_runtime(heap.js), nullptr);
    EXPECT_EQ(mc_task_current(), nullptr);
    EXPECT_EQ(mc_duktape_close(heap.js, 0), MC_OK);
    EXPECT_EQ(heap.run("log.sort().join()"),
              "MC_ECANCELED,MC_ECANCELED,MC_ECANCELED,finally,finally,finally");
    EXPECT_EQ(heap.run("try { unrun.join() } catch (e) { e.code }"), "MC_ECANCELED");
    EXPECT_EQ(heap.run("try { multicore.sleep(0) } catch (e) { e.code }"), "MC_ESHUTDOWN");
    EXPECT_EQ(heap.run("try { multicore.spawn(close) } catch (e) { e.code }"), "MC_ESHUTDOWN");
    EXPECT_EQ(heap.run("unrun.done + ' ' + unrun.interrupt.length + [3, 1].sort()"), "true 11,3");
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_P(DuktapeWay, CloseEndsATaskThatCatchesEverything) {
    heap.run(
        "var swallowed = 0, ended = 0;\n"
        "function stubborn() { for (;;) try { multicore.sleep(Infinity) } catch (e) { swallowed++ } }\n"
        "multicore.spawn(stubborn);\n"
        "multicore.spawn(function () { Duktape.Thread.resume(new Duktape.Thread(stubborn)) });\n"
        "multicore.spawn(function () { [1].forEach(function () { native.call(stubborn) }) });\n"
        "for (var i = 0; i < 5; i++) multicore.spawn(function () {\n"
        "  try { multicore.sleep(Infinity) } finally { ended++ } });\n"
        "multicore.yield(); multicore.yield()");
    EXPECT_EQ(mc_duktape_close(heap.js, MC_FOREVER), MC_OK);
    EXPECT_EQ(heap.run("Duktape.gc(); ended"), "5");
    EXPECT_EQ(heap.run("swallowed"), "300");
}

mc_task* remembered;
duk_ret_t remember(duk_context*) {
    remembered = mc_task_ref(mc_task_current());
    return 0;
}

struct DuktapeCancel : DuktapeWay {
    DuktapeCancel() {
        duk_push_c_function(heap.js, remember, 0);
        duk_put_global_string(heap.js, "remember");
        heap.run("function deep(n) { return n ? [n].map(function () { return deep(n - 1) })[0] + 1 : 0 }");
    }
    void cancel(std::uint32_t mode) {
        ASSERT_NE(remembered, nullptr);
        EXPECT_EQ(mc_task_cancel(remembered, mode), MC_OK);
        mc_task_unref(remembered);
        remembered = nullptr;
    }
    // Such as the depth of calls of one that ended amid them.
    void nothing_is_left_to_the_next_task() {
        EXPECT_EQ(heap.run("Duktape.gc(); multicore.spawn(deep, 400).join()"), "400");
    }
};

TEST_P(DuktapeCancel, SafeEndsATaskThatCatchesEverything) {
    heap.run(
        "function stubborn(n) { if (n) return [n].map(function () { return stubborn(n - 1) });\n"
        "  remember(); for (;;) try { multicore.sleep(Infinity) } catch (e) {} }\n"
        "var t = multicore.spawn(stubborn, 200); multicore.yield()");
    cancel(MC_CANCEL_SAFE);
    nothing_is_left_to_the_next_task();
    EXPECT_EQ(heap.run("try { t.join() } catch (e) { e.code + t.done }"), "MC_ECANCELEDtrue");
}

TEST_P(DuktapeCancel, AbandonEndsASuspendedTask) {
    heap.run(
        "var log = [], t = multicore.spawn(function () { remember();\n"
        "  try { [1].forEach(function () { multicore.sleep(Infinity) }) } finally { log.push('ran') } });\n"
        "multicore.yield()");
    cancel(MC_CANCEL_ABANDON);
    nothing_is_left_to_the_next_task();
    EXPECT_EQ(heap.run("try { t.join() } catch (e) { e.code + log }"), "MC_ECANCELED");
}

TEST_P(DuktapeCancel, AbandonLetsASectionEndOnItsOwn) {
    heap.run(
        "var log = [], gate = native.gate(), inside = native.gate(), lost = 0;\n"
        "var t = multicore.spawn(function () { var o = {}; Duktape.fin(o, function () { lost++ });\n"
        "  remember(); native.pass(gate, inside); log.push(o) });\n" PASS_INSIDE);
    cancel(MC_CANCEL_ABANDON);
    EXPECT_EQ(heap.run("try { t.join() } catch (e) { e.code + lost }"), "MC_ECANCELED0");
    nothing_is_left_to_the_next_task();
    EXPECT_EQ(
        heap.run("native.open(gate); while (!lost) { multicore.sleep(0.001); Duktape.gc() } log.length"),
        "0");
}

INSTANTIATE_TEST_SUITE_P(Way, DuktapeCancel, kWays, way_name);

class DuktapeStraggler : public testing::TestWithParam<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Way, DuktapeStraggler, kWays, way_name);

TEST_P(DuktapeStraggler, CloseGivesUpOnASectionThatGoesOn) {
    static duk_context* kept_for_ever[2];  // never destroyed: the section goes on
    duk_context* const kept = kept_for_ever[GetParam() == MC_WAY_SHIP] = duk_create_heap_default();
    duk_context* js = nullptr;
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    static int reports;
    reports = 0;
    options.misuse = [](void*, const mc_misuse*) { reports++; };
    ASSERT_EQ(mc_duktape_open(kept, &options, GetParam(), &js), MC_OK);
    native_install(js);
    Heap::run_in(js,
                 "var gate = native.gate(), inside = native.gate();\n"
                 "multicore.spawn(function () { native.pass(gate, inside) }); " PASS_INSIDE);
    EXPECT_EQ(mc_duktape_close(js, 1000000), MC_ETIMEDOUT);
    EXPECT_EQ(reports, 1);
    EXPECT_EQ(Heap::run_in(js, "native.open(gate); 'scripts still run'"), "scripts still run");
}

TEST(DuktapeEmbedDeathTest, DestroyingAnOpenHeapIsSaidLoudly) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(
        {
            duk_context* root = duk_create_heap_default();
            duk_context* js = nullptr;
            mc_duktape_open(root, nullptr, MC_WAY_LEND, &js);
            duk_destroy_heap(root);
        },
        "call mc_duktape_close first");
}

duk_ret_t count_up(duk_context* ctx) {
    duk_push_int(ctx, duk_require_int(ctx, 0) + duk_get_current_magic(ctx));
    return 1;
}
duk_ret_t fail(duk_context*) { return DUK_RET_TYPE_ERROR; }
duk_ret_t compute(duk_context* ctx) {
    for (;;) mc_duktape_checkpoint(ctx);
    return 0;
}

TEST(DuktapeEmbed, WrappedFunctionsAreLikeOthers) {
    Heap heap;
    EXPECT_EQ(mc_duktape_push_c_function(heap.js, count_up, 1), 0);
    duk_set_magic(heap.js, 0, 5);
    duk_put_global_string(heap.js, "countUp");
    mc_duktape_push_c_function(heap.js, fail, 0);
    duk_put_global_string(heap.js, "fail");
    EXPECT_EQ(heap.run("countUp(2) + countUp(3)"), "15");
    EXPECT_EQ(heap.run("try { fail() } catch (e) { e instanceof TypeError }"), "true");
    EXPECT_EQ(heap.run("try { countUp('x') } catch (e) { e instanceof TypeError }"), "true");
}

TEST(DuktapeEmbed, CheckpointsLetOthersIn) {
    Heap heap;
    duk_push_c_function(heap.js, compute, 0);
    duk_put_global_string(heap.js, "compute");
    EXPECT_EQ(
        heap.run("var turns = 0, t = multicore.spawn(compute);\n"
                 "multicore.spawn(function () { for (; turns < 3; turns++) multicore.yield() }).join();\n"
                 "t.interrupt('over'); try { t.join() } catch (e) { e + turns }"),
        "over3");
}

}  // namespace
