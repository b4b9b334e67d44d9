// MC_HOST_OWN_SCHEDULER: hosts with coroutines of their own, on C stacks of their own.
//
// The host switches among its coroutines as it likes, on whatever thread has the baton, and without telling.
// So a thread that runs them has a resident in the place of its task: who runs is asked of the host when it
// matters. Within a section the thread's task is the coroutine's, since then it runs nothing else.
//
// A lend that is taken leaves the interpreter at the lender's section. Whoever took it calls the host's `run`
// on a fiber, the lender's deputy, from where the host goes on with other coroutines; to the host, that is
// the lender, suspended. When the lender is due, the host switches back to the deputy and `run` returns,
// on whatever thread that was. The deputy ends, that thread goes on at its base, and from there, when the
// stack can be used again, the baton is handed to the lender's thread.
//
// H1  While nobody holds the baton of such a runtime, the interpreter stands at the open section of
//     mc_runtime::lender. The one exception is a pause.
// H2  A deputy runs only while its task's section is open and the baton is not the section's thread's.
//     So there is one per task, and its stack can live in the task.
// H3  A section ends on its own thread. One on top of which a section of that thread waits is inline: the
//     thread could not serve both.
// H4  The line holds the tasks that are due. Whoever gets the baton for one goes on from the lender until the
//     host comes to one that is due, whose thread is given the baton by name.
//
// docs/design/own-scheduler.md has the sequence, and what was rejected.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "core/runtime.h"

namespace mc {

// ---- sections of adopted tasks; by their threads ----
void open_hosted(mc_task& task, mc_site* site) noexcept;     // with the baton: the outermost release
void reopen_hosted(mc_task& task, bool is_inline) noexcept;  // with the baton: mc_leave; its gate is set
void take_back_hosted(mc_task& task) noexcept;               // the acquire, if the baton was taken
void tell_who_shuts_down(mc_runtime& rt) noexcept;           // a section has ended

// By a thread at its base, with the baton that it took from `rt.lender`: the host goes on from there. True:
// the section of `self` is next, which waits at this base. False: the baton has been given away.
bool carry_on(Worker& worker, mc_task* self) noexcept;

// ---- the attached thread (adopt.cc) ----
mc_status attach_hosted(mc_runtime& rt, const mc_task_options& options, std::uint64_t timeout,
                        mc_task** out) noexcept;
mc_status detach_hosted(mc_task& resident) noexcept;
void end_hosted_attachment(mc_runtime& rt) noexcept;  // by that thread, on its own stack, with the baton
void home_main(void* worker);                         // its base, for when its own stack runs elsewhere

// ---- the life of adopted tasks (adopt.cc) ----
bool prepare_hosted(mc_runtime& rt) noexcept;  // a new runtime; false: no memory
void unref_adopted(mc_task& task) noexcept;    // any thread
void end_orphans(mc_runtime& rt) noexcept;     // with the baton
void finish_hosted(mc_runtime& rt) noexcept;   // before it is destroyed: as far as nobody runs it

// By the holder; the rest of mc_runtime_shutdown. How many were still in a section (shutdown_hosted.cc).
unsigned shut_hosted(mc_runtime& rt, std::uint64_t deadline) noexcept;

}  // namespace mc
