//! What this process may take, and who may look into it.

/// Every open file costs a descriptor: takes as many as the machine grants, and says how many that is.
pub(crate) fn raise_file_limit() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum || limit.maximum.is_none() {
        let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
        if let Err(error) = raised {
            tracing::debug!(%error, "the limit of open files stays");
        }
    }
    let granted = getrlimit(Resource::Nofile).current;
    granted.and_then(|granted| usize::try_from(granted).ok()).unwrap_or(usize::MAX)
}

/// No core is written, and no other process of the same user looks inside: keys are in memory.
pub(super) fn keep_memory_private() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let kept = setrlimit(Resource::Core, none).and(set_dumpable_behavior(DumpableBehavior::NotDumpable));
    if let Err(error) = kept {
        tracing::warn!(%error, "a core of this process may be written, and keys would be in it");
    }
}
