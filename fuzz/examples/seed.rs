//! Writes the seed corpus into `corpus/<target>/`, beside what fuzzing found.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let mut seeds = mptcp_fuzz::seeds::all();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (target, _) in mptcp_fuzz::TARGETS {
        let folder = corpus.join(target);
        std::fs::create_dir_all(&folder)?;
        let inputs = seeds.remove(target).unwrap_or_default();
        for (i, input) in inputs.iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{i:04}")), input)?;
        }
        println!("{target}: {} seeds", inputs.len());
    }
    assert!(seeds.is_empty(), "seeds for no target: {:?}", seeds.keys());
    Ok(())
}
