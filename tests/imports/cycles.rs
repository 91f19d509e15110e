//! [`cycles`]: finds the cycles of a graph, which are its strongly connected components with more than one node.

use std::collections::BTreeSet;

/// Returns the cycles of a graph, whose node n has edges to `edges[n]`. Each cycle is sorted.
pub(super) fn cycles(edges: &[BTreeSet<usize>]) -> Vec<Vec<usize>> {
    let mut search = Search {
        edges,
        index: vec![None; edges.len()],
        lowest: vec![0; edges.len()],
        stack: Vec::new(),
        next: 0,
        found: Vec::new(),
    };
    for node in 0..edges.len() {
        if search.index[node].is_none() {
            search.visit(node);
        }
    }
    search.found
}

/// Tarjan's algorithm.
struct Search<'a> {
    edges: &'a [BTreeSet<usize>],
    /// Order of the first visit, by node.
    index: Vec<Option<usize>>,
    /// The lowest index of a node that can be reached, by node.
    lowest: Vec<usize>,
    /// Visited nodes whose component is not complete.
    stack: Vec<usize>,
    next: usize,
    found: Vec<Vec<usize>>,
}

impl Search<'_> {
    fn visit(&mut self, node: usize) {
        self.index[node] = Some(self.next);
        self.lowest[node] = self.next;
        self.next += 1;
        self.stack.push(node);
        for &other in &self.edges[node] {
            match self.index[other] {
                None => {
                    self.visit(other);
                    self.lowest[node] = self.lowest[node].min(self.lowest[other]);
                }
                Some(index) if self.stack.contains(&other) => {
                    self.lowest[node] = self.lowest[node].min(index);
                }
                Some(_) => {}
            }
        }
        if self.index[node] == Some(self.lowest[node]) {
            let first = self.stack.iter().rposition(|other| *other == node).unwrap();
            let mut component = self.stack.split_off(first);
            if component.len() > 1 {
                component.sort_unstable();
                self.found.push(component);
            }
        }
    }
}

#[test]
fn cycles_of_a_small_graph() {
    let edges = [vec![1], vec![2], vec![0, 3], vec![4], vec![3], vec![0], vec![6]];
    let edges: Vec<BTreeSet<_>> = edges.into_iter().map(BTreeSet::from_iter).collect();
    let mut found = cycles(&edges);
    found.sort();
    assert_eq!(found, [vec![0, 1, 2], vec![3, 4]]);
}
