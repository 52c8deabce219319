//! How common bytes are, and so what is rare.

use super::super::runs::{Class, Rate};
use super::vectors::WORD;

/// How often bytes stand in a log, each 0 to 1, all together 1.
#[derive(Clone, Debug)]
pub(in crate::scan) struct Rates(Box<[Rate; 256]>);

impl Rates {
    /// As in the logs that most machines write.
    pub(in crate::scan) fn usual() -> Rates {
        let mut rates = Box::new([0.000_2; 256]);
        for (bytes, rate) in [
            (&b"etaoinsrlcd"[..], 0.035),
            (b"hupmfgbwyvk", 0.013),
            (b"xjqz", 0.002),
            (b"ETAOINSRLCDHUPMFGBWYVKXJQZ", 0.003),
            (b"0123456789", 0.025),
            (b" ", 0.12),
            (b".:-/=,\"[]_", 0.012),
            (b"()'{}@#\\;<>+*&%?!|", 0.003),
            (b"\n\t\r", 0.007),
        ] {
            bytes.iter().for_each(|byte| rates[usize::from(*byte)] = rate);
        }
        Rates(rates)
    }

    /// As in a log that is like `sample`.
    pub(in crate::scan) fn of_log(sample: &[u8]) -> Rates {
        let Rates(mut rates) = Rates::usual();
        // What was not seen is as rare as it usually is, or rarer.
        let (weight, all) = (1000.0, sample.len() as Rate + 1000.0);
        rates.iter_mut().for_each(|rate| *rate *= weight / all);
        sample.iter().for_each(|byte| rates[usize::from(*byte)] += 1.0 / all);
        Rates(rates)
    }

    pub(super) fn of(&self, class: &Class) -> Rate {
        class.bytes().map(|byte| self.0[usize::from(byte)]).sum::<Rate>().min(1.0)
    }

    /// How often a run stands at a place, by the rarest of its windows.
    pub(in crate::scan) fn of_run(&self, run: &[Class]) -> Rate {
        run.windows(run.len().min(*WORD.end())).map(|window| self.of_window(window)).fold(1.0, Rate::min)
    }

    pub(super) fn of_window(&self, window: &[Class]) -> Rate {
        window.iter().map(|class| self.of(class)).product()
    }
}
