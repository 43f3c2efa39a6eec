//! The filter of system calls, which Linux alone has.

use std::collections::BTreeMap;
use std::ffi::c_long;

use anyhow::Context;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

const STDIN: u64 = 0;
const STDOUT: u64 = 1;
const STDERR: u64 = 2;

/// Leaves this process memory, reading the picture, writing the answer, and what a panic or an abort needs.
/// All else fails with EPERM, so that what a C library asks for and can do without ends no picture.
///
/// # Errors
/// The kernel has no filters, or not for this process.
pub(crate) fn load() -> anyhow::Result<()> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH).context("know the architecture")?;
    let program = program(architecture, u64::from(std::process::id())).context("compile the filter")?;
    // It sets no_new_privs first.
    seccompiler::apply_filter(&program).context("load the filter")
}

fn program(architecture: TargetArch, process: u64) -> Result<BpfProgram, BackendError> {
    let executable = libc::PROT_EXEC.unsigned_abs().into();
    let anonymous = libc::MAP_ANONYMOUS.unsigned_abs().into();
    let is =
        |argument, value| SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value);
    let masked = |argument, mask, value| {
        let operator = SeccompCmpOp::MaskedEq(mask);
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
    };
    let rule = SeccompRule::new;
    let output = || Ok(vec![rule(vec![is(0, STDOUT)?])?, rule(vec![is(0, STDERR)?])?]);
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> = [
        libc::SYS_brk,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_futex,
        libc::SYS_sched_yield,
        libc::SYS_getrandom,
        libc::SYS_clock_gettime,
        libc::SYS_restart_syscall,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sigaltstack,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ]
    .into_iter()
    .map(|call| (call, Vec::new()))
    .collect();
    rules.insert(libc::SYS_read, vec![rule(vec![is(0, STDIN)?])?]);
    rules.insert(libc::SYS_write, output()?);
    rules.insert(libc::SYS_writev, output()?);
    // Nothing that was written can be executed.
    let data = masked(2, executable, 0)?;
    rules.insert(libc::SYS_mmap, vec![rule(vec![data.clone(), masked(3, anonymous, anonymous)?])?]);
    rules.insert(libc::SYS_mprotect, vec![rule(vec![data])?]);
    // As abort(3) does, to itself alone.
    rules.insert(libc::SYS_tgkill, vec![rule(vec![is(0, process)?])?]);
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    SeccompFilter::new(rules, refused, SeccompAction::Allow, architecture)?.try_into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_filter_for_each_architecture_of_lambda() {
        for architecture in [TargetArch::x86_64, TargetArch::aarch64] {
            let program = program(architecture, 7).unwrap();
            assert!(program.len() < 200, "{}", program.len());
        }
    }
}
