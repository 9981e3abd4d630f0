//! Several clusters in one process, each with a name of its own: `cargo run --example several -- node server.js`. The second finds
//! another port in its environment.

use clustermon::{Cluster, Environment};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let command: Vec<_> = std::env::args_os().skip(1).collect();
    let start = |name: &str, port: u16| {
        let variables = vec![("PORT".into(), port.to_string().into())];
        Cluster::builder(command.clone())
            .name(name)
            .workers(2)
            .environment(move |_| Environment::Inherited(variables.clone()))
            .start()
    };
    let clusters = [start("one", 8080)?, start("two", 8081)?];
    for cluster in &clusters {
        cluster
            .for_each_load_balancer(|balancer| say(&format!("{}: {:?}", balancer.address, balancer.state)));
    }
    say("a line on stdin stops both");
    std::io::stdin().read_line(&mut String::new())?;
    // Each stops when its last handle is dropped.
    drop(clusters);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example talks to who runs it")]
fn say(text: &str) {
    println!("{text}");
}
