//! Seeds that ever failed, and what they found. The world draws differently whenever it learns something new, so some of
//! them have moved on to other lives; they cost little and stay.

/// The seed, and what was wrong.
pub(super) const SEEDS: [(u64, &str); 35] = [
    (1, "after a restart nobody resolved the alert about a suspended sink"),
    (8, "while the store failed the next wake-up lay in the past"),
    (28, "after a restart a change there and back was told as a change to what the sink showed already"),
    (58, "as seed 1"),
    (83, "a file seemed to have changed in the future, and a recovery line could not reach what it held"),
    (
        104,
        "a sink that was removed, and came back after a restart, was told of ends without their beginnings",
    ),
    (
        180,
        "after the wall clock was set back, lines found unread were judged by another clock than their stamps",
    ),
    (185, "as seed 28"),
    (230, "as seed 28"),
    (280, "as seed 83"),
    (285, "while reading was paused an alert ended as quiet"),
    (353, "as seed 83, in a process that began before the clock was set forward"),
    (428, "the first lines of a log were read before the last ones of its rotated predecessor"),
    (703, "as seed 285, with a rotation during the pause"),
    (
        711,
        "while the store failed a row left without the mark that it was attempted: allowed, and excused since",
    ),
    (745, "the clock was set back over a restart, and an alert of tripline's own was never resolved"),
    (792, "a log was cut and moved out of the globs before anybody looked: the world had asked for too much"),
    (1196, "two logs with the same stamps were found at once: the world had asked for too much"),
    (1339, "a census alert was refused for good: the world had asked for too much"),
    (21_730, "at the end of a backlog a sink was told of the status that it showed already"),
    (22_421, "while the store failed a row left in words that no commit had seen"),
    (60_075, "an unterminated line that waited for another file counted again after a restart"),
    (60_295, "after the clock was set back a log that was read already was taken for one that was missed"),
    (
        60_773,
        "a log that was cut between two reads of a restart vouched for itself, and its copy was read again",
    ),
    (63_016, "as seed 60295, with a birth that was in the future before anybody looked"),
    (55, "two alerts about a storm in one microsecond were the same episode"),
    (1675, "a storm whose last alert ended long ago was never told to be over"),
    (20_147, "a record was to go on in a third file: the world had asked for too much"),
    (20_872, "behind a half line no record went on from the next file to the one after it"),
    (21_299, "a record that had gone on in the next file overtook its own beginning, and counted twice"),
    (
        21_584,
        "what was cut was forgotten while its name had no file, and its copy was read when it had one again",
    ),
    (
        32_247,
        "a sync failed for want of room, and the length of the store was lost for good: the world had asked for too much",
    ),
    (41_691, "what was cut was forgotten while its copy could not be looked at"),
    (90_354, "a record that had gone on in a file without a handle was forgotten where it began"),
    (23_149, "a line was written at the very moment that ended a flapping: the world had asked for too much"),
];
