//! Time, heap, stack, instructions.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::hint::black_box;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::jobs::{Contender, Inputs, Job, JOBS};

/// Does a job the given number of times.
#[inline(never)]
pub fn repeat(job: &Job, contender: &Contender, inputs: &Inputs, times: u32) {
    for _ in 0..times {
        black_box((job.run)(contender, inputs));
    }
}

const ROUNDS: u32 = 400;
const SLICE: Duration = Duration::from_micros(40);

/// Nanoseconds for each job of each contender: the least of [`ROUNDS`] runs of
/// about [`SLICE`], taken in turns so that a noisy moment hits all alike.
pub fn times(
    contenders: &[Contender],
    inputs: &Inputs,
) -> HashMap<(&'static str, &'static str), Option<f64>> {
    let mut best = HashMap::new();
    for job in &JOBS {
        let able: Vec<_> = contenders
            .iter()
            .filter(|c| (job.run)(c, inputs).is_some())
            .map(|contender| (contender, calibrate(job, contender, inputs)))
            .collect();
        for contender in contenders {
            best.insert((job.name, contender.name), None);
        }
        for _ in 0..ROUNDS {
            for (contender, times) in &able {
                let start = processor_time();
                repeat(job, contender, inputs, *times);
                let each = (processor_time() - start) as f64 / f64::from(*times);
                let best = best.entry((job.name, contender.name)).or_insert(None);
                *best = Some(best.map_or(each, |best: f64| best.min(each)));
            }
        }
    }
    best
}

/// Nanoseconds that this thread has had of a processor: what others on the machine
/// do counts little.
fn processor_time() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let got = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(got, 0);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// How often the job fits into a slice.
fn calibrate(job: &Job, contender: &Contender, inputs: &Inputs) -> u32 {
    let mut times = 1;
    loop {
        let start = Instant::now();
        repeat(job, contender, inputs, times);
        if start.elapsed() >= SLICE || times > 1 << 20 {
            return times;
        }
        times *= 2;
    }
}

/// Counts what goes through it.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        System.alloc(layout)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        System.dealloc(block, layout);
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        System.realloc(block, layout, size)
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Allocations of one run, after one to warm up.
pub fn allocations(job: &Job, contender: &Contender, inputs: &Inputs) -> Option<f64> {
    (job.run)(contender, inputs)?;
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    black_box((job.run)(contender, inputs));
    Some((ALLOCATIONS.load(Ordering::Relaxed) - before) as f64)
}

const STACK: usize = 1 << 20;
const PAINT: u8 = 0xa5;
/// Deeper than whatever a thread needs for itself.
const CELLAR: usize = 1 << 16;

/// Does nothing: what it takes is the measuring's.
const IDLE: Contender = Contender {
    name: "",
    dump: Some(|_| 0),
    dumps: Some([|_| 0; 6]),
    addresses: Some(|_| 0),
    sockets: Some(|_| 0),
    refusal: Some(|_| 0),
    events: Some(|_| 0),
    build: Some(|_, _| 0),
    resolve: Some(|_| 0),
};

/// Bytes of stack that the job takes: how far a painted stack is changed by it
/// beyond what is changed by one that does nothing.
pub fn stack(job: &Job, contender: &Contender, inputs: &Inputs) -> Option<f64> {
    (job.run)(contender, inputs)?;
    let deep = |contender| {
        depth(&mut || {
            black_box((job.run)(contender, inputs));
        })
    };
    Some(deep(contender).saturating_sub(deep(&IDLE)) as f64)
}

/// How deep the stack of a new thread was used while it ran `f`.
fn depth(f: &mut dyn FnMut()) -> usize {
    struct Call<'a>(&'a mut dyn FnMut());

    extern "C" fn enter(call: *mut libc::c_void) -> *mut libc::c_void {
        // The thread's own start-up does not reach below this frame.
        #[inline(never)]
        fn cellar(call: &mut Call<'_>) {
            let mut room = [0u8; CELLAR];
            black_box(&mut room);
            (call.0)();
            black_box(&mut room);
        }
        // Safe: `depth` waits for the end before its borrow ends.
        cellar(unsafe { &mut *call.cast::<Call<'_>>() });
        std::ptr::null_mut()
    }

    let layout = Layout::from_size_align(STACK, 1 << 16).expect("a valid layout");
    let mut call = Call(f);
    unsafe {
        let space = System.alloc(layout);
        assert!(!space.is_null());
        space.write_bytes(PAINT, STACK);
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        let mut thread: libc::pthread_t = std::mem::zeroed();
        assert_eq!(libc::pthread_attr_init(&mut attributes), 0);
        let set = libc::pthread_attr_setstack(&mut attributes, space.cast(), STACK);
        assert_eq!(set, 0);
        let call = (&raw mut call).cast();
        let made = libc::pthread_create(&mut thread, &attributes, enter, call);
        assert_eq!(made, 0);
        assert_eq!(libc::pthread_join(thread, std::ptr::null_mut()), 0);
        libc::pthread_attr_destroy(&mut attributes);
        let bytes = std::slice::from_raw_parts(space, STACK);
        let untouched = bytes.iter().take_while(|byte| **byte == PAINT).count();
        System.dealloc(space, layout);
        STACK - untouched
    }
}

/// Instructions of one run: what callgrind counts for `n` runs less what it
/// counts for none, divided.
pub fn instructions(job: &Job, contender: &Contender) -> Option<f64> {
    let none = collected(job, contender, 1)?;
    let all = collected(job, contender, 1 + job.times)?;
    (all > none).then(|| (all - none) as f64 / f64::from(job.times))
}

fn collected(job: &Job, contender: &Contender, times: u32) -> Option<u64> {
    let this = std::env::current_exe().expect("a path of its own");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(this)
        .args(["run", job.name, contender.name, &times.to_string()])
        .output()
        .unwrap_or_else(|error| panic!("valgrind cannot be run: {error}"));
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr);
    let (_, count) = text.split_once("Collected :")?;
    count.split_whitespace().next()?.parse().ok()
}
