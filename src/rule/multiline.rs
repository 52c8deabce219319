//! How the lines of a source make records: which line begins one, goes on with one, or is the last of one.

use std::time::Duration;

use memchr::memrchr;
use regex_automata::meta::Regex;
use regex_syntax::ParserBuilder;

use super::Pattern;

/// Joins lines to records.
#[derive(Clone, Debug)]
pub struct Multiline {
    /// What a line says that fits `regex`.
    pub bound: Bound,
    /// Asked of each line by itself, without its line end.
    pub regex: Regex,
    /// Asked instead of a line behind a blank one, where less goes on there.
    pub behind_blank: Option<Regex>,
    /// Lines of a record, at most; 1 or more. What follows begins another record.
    pub max_lines: usize,
    /// Bytes of a record with the line ends inside it, at most; the same. No line is longer.
    pub max_bytes: usize,
    /// Quiet after which the last record of a file is matched as it is.
    pub flush: Duration,
}

/// What a line says of its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// It is the first.
    Start,
    /// It is not the first.
    Continue,
    /// It is the last.
    End,
}

/// Ways to join lines that have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Stack traces of the Java virtual machine.
    Java,
    /// Tracebacks of Python.
    Python,
    /// Panics and dumps of goroutines.
    Go,
    /// What begins with white space goes on.
    Indented,
}

/// A frame, a note, or anything else that is indented, or nothing; what led to it; the exception that a line of the log
/// was written for, which stands at the beginning of the line behind it.
const JAVA: &str = r"^(?:[ \t]|$|(?:Caused by|Suppressed|Wrapped by): |(?:[\w$]+\.)+[\w$]*(?:Exception|Error|Throwable|Failure|Fault)(?::|$))";

/// The same without what is only indented: Spring Boot puts a blank line before and behind a trace, but its banner, and
/// help, and tables stand behind blank lines too, and are of no line before them.
const JAVA_BEHIND_BLANK: &str = r"^(?:[ \t]*$|\t|[ ]+(?:at \S|\.\.\. \d+ |Suppressed: |Caused by: )|(?:Caused by|Suppressed|Wrapped by): |(?:[\w$]+\.)+[\w$]*(?:Exception|Error|Throwable|Failure|Fault)(?::|$))";

/// The head of a traceback, what is indented in it, the exception at its end, and what stands between two of them. A class
/// that ends in none of the usual words counts with its module.
const PYTHON: &str = r"^(?:[ \t]|$|Traceback \(most recent call last\):|During handling of the above exception, |The above exception was the direct cause |(?:[A-Za-z_]\w*\.)*(?:Exception|BaseException|ExceptionGroup|BaseExceptionGroup|[A-Z_]\w*(?:Error|Exception|Warning|Interrupt|Exit|Iteration|Timeout|Group))(?:: |:?$)|(?:[a-z_]\w*\.)+[A-Z]\w*(?:: |:?$))";

/// What stands between `panic:` or `fatal error:` and the end: signal, goroutines, calls and where they are, who made
/// them, registers.
const GO: &str = r"^(?:[ \t]|$|\[signal |goroutine \d+ |runtime stack:$|created by |\.\.\.|exit status \d+$|[^\s(]+(?:\(\*?[\w.\[\]]+\)[^\s(]+)?\((?:[^()]|\([^()]*\))*\)$|[a-z]\w{1,7} +0x[0-9a-f]+$)";

const INDENTED: &str = r"^[ \t]";

/// Bytes that the pattern of a preset may take, compiled.
const MOST_COMPILED: usize = 1 << 20;

impl Preset {
    /// All of them.
    pub const ALL: [Preset; 4] = [Preset::Java, Preset::Python, Preset::Go, Preset::Indented];

    /// As it is typed.
    pub fn as_str(self) -> &'static str {
        match self {
            Preset::Java => "java",
            Preset::Python => "python",
            Preset::Go => "go",
            Preset::Indented => "indented",
        }
    }

    /// The pattern of lines that do not begin a record.
    pub fn pattern(self) -> &'static str {
        match self {
            Preset::Java => JAVA,
            Preset::Python => PYTHON,
            Preset::Go => GO,
            Preset::Indented => INDENTED,
        }
    }

    /// That of lines that do not begin one behind a blank line, where it is another.
    fn behind_blank(self) -> Option<&'static str> {
        match self {
            Preset::Java => Some(JAVA_BEHIND_BLANK),
            Preset::Python | Preset::Go | Preset::Indented => None,
        }
    }

    /// What it stands for, with the usual bounds.
    pub fn multiline(self) -> Multiline {
        let compiled = |pattern: &str| {
            let hir = ParserBuilder::new().utf8(false).unicode(false).build().parse(pattern);
            let regex = hir.ok().and_then(|hir| Pattern::engine(&hir, MOST_COMPILED));
            regex.expect("the patterns of presets are sound")
        };
        Multiline {
            bound: Bound::Continue,
            regex: compiled(self.pattern()),
            behind_blank: self.behind_blank().map(compiled),
            max_lines: Multiline::MAX_LINES,
            max_bytes: Multiline::MAX_BYTES,
            flush: Multiline::FLUSH,
        }
    }
}

impl Multiline {
    /// Lines of a record, unless it is said.
    pub const MAX_LINES: usize = 500;
    /// Bytes of a record, unless it is said.
    pub const MAX_BYTES: usize = 64 * 1024;
    /// Quiet of that kind, unless it is said.
    pub const FLUSH: Duration = Duration::from_secs(2);

    /// True if a record ends between these lines, of which the second follows the first.
    pub fn parts(&self, before: &[u8], line: &[u8]) -> bool {
        let regex = self.behind_blank.as_ref().filter(|_| is_blank(before)).unwrap_or(&self.regex);
        match self.bound {
            Bound::Start => regex.is_match(line),
            Bound::Continue => !regex.is_match(line),
            Bound::End => self.regex.is_match(before),
        }
    }

    /// True if a record ends behind this line, whatever follows.
    pub fn ends(&self, line: &[u8]) -> bool {
        self.bound == Bound::End && self.regex.is_match(line)
    }
}

/// True if nothing is to be seen of a line.
fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

/// A record without the blank lines at its end: they part it from the next one, and a pattern that wants the end of what
/// was written means the last line that says something.
pub fn without_blank_end(record: &[u8]) -> &[u8] {
    let mut text = record;
    while let Some(newline) = memrchr(b'\n', text).filter(|newline| is_blank(&text[newline + 1..])) {
        text = &text[..newline];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `text` is records, each of which begins with a line that is marked by `> `.
    fn check(preset: Preset, text: &str) {
        let multiline = preset.multiline();
        let mut before = "a line";
        for line in text.lines() {
            let (begins, line) = match line.strip_prefix("> ") {
                Some(line) => (true, line),
                None => (false, line),
            };
            assert_eq!(
                multiline.parts(before.as_bytes(), line.as_bytes()),
                begins,
                "{preset:?}: {line:?} behind {before:?}"
            );
            before = line;
        }
    }

    #[test]
    fn a_stack_trace_of_java_belongs_to_the_line_before_it() {
        check(
            Preset::Java,
            "\
> 2026-01-05 10:00:00,123 ERROR [http-7] shop.cart.CartService - could not price cart 8731
java.lang.IllegalStateException: no price list for region \"eu-3\"
\tat shop.price.PriceBook.lookup(PriceBook.java:88)
\tat shop.price.PriceBook.access$200(PriceBook.java:19)
\tat java.base/jdk.internal.reflect.DirectMethodHandleAccessor.invoke(DirectMethodHandleAccessor.java:103)
\tat app//shop.cart.CartService.lambda$price$3(CartService.java:142) ~[cart-4.2.jar!/:4.2]
\tSuppressed: java.io.IOException: cache is closed
\t\tat shop.cache.Disk.close(Disk.java:51)
\t\t... 7 more
Caused by: org.postgresql.util.PSQLException: ERROR: relation \"price\" does not exist
  Position: 15
\tat org.postgresql.core.v3.QueryExecutorImpl.receiveErrorResponse(QueryExecutorImpl.java:2713)
\t... 12 common frames omitted
Caused by: java.lang.NullPointerException
\t... 31 more
> 2026-01-05 10:00:01,000 INFO  [http-7] shop.cart.CartService - cart 8732 priced
> Exception in thread \"main\" java.lang.OutOfMemoryError: Java heap space
\tat java.base/java.util.Arrays.copyOf(Arrays.java:3512)
> shop.Main started
> java.lang.Thread: a name that is no exception begins a record
",
        );
    }

    #[test]
    fn a_trace_of_spring_boot_goes_on_behind_its_blank_lines_and_nothing_else_does() {
        check(
            Preset::Java,
            "\
> 2026-01-05T10:00:00.123Z ERROR 7 --- [nio-8080-exec-1] o.a.c.c.C.[.[.[/].[dispatcherServlet]    : Servlet.service() \
for servlet [dispatcherServlet] in context with path [] threw exception [Request processing failed: \
java.lang.NullPointerException: no price] with root cause

java.lang.NullPointerException: no price
\tat shop.Cart.price(Cart.java:88) ~[classes!/:na]
\tat java.base/java.lang.Thread.run(Thread.java:1583) ~[na:na]

Caused by: java.sql.SQLException: gone
\t... 31 common frames omitted

> 2026-01-05T10:00:01.000Z  INFO 7 --- [ionShutdownHook] o.s.b.w.e.tomcat.GracefulShutdown        : Graceful shutdown complete
  \x20

>   .   ____          _            __ _ _
 /\\\\ / ___'_ __ _ _(_)_ __  __ _ \\ \\ \\ \\
> ( ( )\\___ | '_ | '_| | '_ \\/ _` | \\ \\ \\ \\
 =========|_|==============|___/=/_/_/_/
> :: Spring Boot ::                (v3.4.1)

> 2026-01-05T10:00:09.000Z  INFO 7 --- [           main] shop.Application                         : Starting Application
> usage: shop [options]

>   --port   the port
  --help   this

> 2026-01-05T10:00:10.000Z  INFO 7 --- [           main] shop.Application                         : Started
",
        );
    }

    #[test]
    fn blank_lines_at_the_end_are_no_text_of_a_record() {
        for (record, text) in [
            ("a", "a"),
            ("a\n", "a"),
            ("a\n\nb\n \t\n\r\n", "a\n\nb"),
            ("", ""),
            ("\n\n", ""),
            (" ", " "),
            ("a\n.\n", "a\n."),
        ] {
            assert_eq!(without_blank_end(record.as_bytes()), text.as_bytes(), "{record:?}");
        }
    }

    #[test]
    fn tracebacks_of_python_belong_together_also_those_that_led_to_each_other() {
        check(
            Preset::Python,
            "\
> 2026-01-05 10:00:00,123 ERROR worker: job 8731 failed
Traceback (most recent call last):
  File \"/srv/app/worker.py\", line 88, in run
    price = book[region]
            ~~~~^^^^^^^^
KeyError: 'eu-3'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File \"/srv/app/worker.py\", line 92, in run
    raise PriceMissing(region) from None
app.errors.PriceMissing: eu-3

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  + Exception Group Traceback (most recent call last):
  |   File \"/srv/app/worker.py\", line 97, in <module>
  | ExceptionGroup: several (2 sub-exceptions)
  +-+---------------- 1 ----------------
requests.exceptions.ReadTimeout: HTTPSConnectionPool(host='price', port=443): Read timed out.
KeyboardInterrupt
subprocess.CalledProcessError: Command '['true']' returned non-zero exit status 1.
Exception: plain
> INFO:     Uvicorn running on http://127.0.0.1:8000
> WARNING:root:disk is filling up
> Error: usage
> worker.main: started
> 2026-01-05 10:00:01,000 INFO worker: job 8732 done",
        );
    }

    #[test]
    fn a_panic_of_go_goes_on_to_its_last_goroutine() {
        check(
            Preset::Go,
            "\
> 2026/01/05 10:00:00 listening on :8080
> panic: runtime error: invalid memory address or nil pointer dereference [recovered]
\tpanic: again
[signal SIGSEGV: segmentation violation code=0x1 addr=0x18 pc=0x6d2f1a]

goroutine 34 [running]:
main.(*Server).price(0xc000112000, {0xc0001a4010, 0x4})
\t/srv/app/server.go:88 +0x1a
net/http.HandlerFunc.ServeHTTP(0xc00018e000?, {0x7f3a58?, 0xc0001d20e0?}, 0x0?)
\t/usr/local/go/src/net/http/server.go:2136 +0x29
main.index[...](...)
github.com/acme/shop%2ev2.main.func1.(*T).run()
panic({0x6fe1c0?, 0x9a3d40?})
created by net/http.(*Server).Serve in goroutine 1
\t/usr/local/go/src/net/http/server.go:3086 +0x5cb

goroutine 1 [IO wait, 12 minutes]:
...additional frames elided...
rax    0x0
rflags 0x10246
exit status 2
> fatal error: all goroutines are asleep - deadlock!
runtime stack:
> 2026/01/05 10:00:01 cart 8732 priced (in 7 ms)
> level=info msg=ready",
        );
    }

    #[test]
    fn what_is_indented_goes_on() {
        check(Preset::Indented, "> a\n b\n\tc\n> d\n> ");
    }

    #[test]
    fn an_end_is_the_last_line_of_its_record_and_parts_from_whatever_follows() {
        let multiline = Multiline { bound: Bound::End, ..Preset::Indented.multiline() };
        assert!(multiline.parts(b" x", b"y") && multiline.parts(b" x", b" y") && multiline.ends(b" x"));
        assert!(!multiline.parts(b"x", b" y") && !multiline.ends(b"x"));
        let start = Multiline { bound: Bound::Start, ..Preset::Indented.multiline() };
        assert!(start.parts(b"x", b" y") && !start.parts(b" x", b"y") && !start.ends(b" x"));
    }
}
