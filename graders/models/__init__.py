"""The graph of a student's network: read, canonicalise, compare, explain, evaluate. No student code is run.

    snapshot ──read_network──▶ Network ──stages──▶ compare ──▶ Comparison (share, sentences)
                                  │   ──topology──▶ branch_effects
                                  └── run / evaluate ──▶ logits, taps

ARCHITECTURE. `graph` reads graph.json strictly into records and leaves out dead code; `ops` is the whitelist with the
checks of every argument; `interpreter` runs a graph, on the meta device for shapes and costs or on the CPU; `network`
ties graph, tensors and shapes together. `flow` follows the data from input to output; `notation` has the stages and
their short notation; `rewriting` has the rules that bring graphs which compute the same into one form, `canonical`
applies them, and `recognise` turns each node of that form into a stage. `structure` finds the branches among them,
`alignment` puts them beside a specification, `comparison` counts what differs, in `rows`; `sentences`, `naming` and
`wording` say it. `branches` finds fan-outs, merges and disjoint paths; `effects` sees what branches and dropout do.
`evaluation` runs a network in a process under limits. `facts` gathers what is to be known of any network: `costs` (with
`fields`) from the graph alone, `health` (with `batches`) by running
it; `advice` says what a student should mend. `state_dicts` says how two state_dicts differ, `pairing` finds renamed
tensors, and `round_trip` runs a graph with the tensors of a file, and the controls that show that this could fail.
Shapes and dtypes that a file claims are read past: the dry run finds them anew.
"""

from graders.models.branches import Branch, Merge, Topology, topology
from graders.models.canonical import Chain, StageGraph, canonical, chain, stage_graph, stages
from graders.models.comparison import Comparison, compare
from graders.models.effects import Effect, active_dropout, branch_effects, evaluation_spread, gradient_reach
from graders.models.evaluation import evaluate
from graders.models.graph import Graph, NetworkLimits, Node, NotExportable
from graders.models.network import Network, NetworkOutput, module_output, parameter_count, read_network
from graders.models.notation import Stage, stage
from graders.models.round_trip import RoundTrip, notices_corruption, round_trip
from graders.models.rows import Row
from graders.models.state_dicts import (
    StateDifference,
    StateFault,
    compare_state,
    looks_untrained,
    same_bits,
    snapshot_state,
    wrapper_of,
)
from graders.models.structure import Parallel, Plan, Tangle, leaves, plan_of, specification
from graders.models.wording import article, words

__all__ = [
    "Branch",
    "Chain",
    "Comparison",
    "Effect",
    "Graph",
    "Merge",
    "Network",
    "NetworkLimits",
    "NetworkOutput",
    "Node",
    "NotExportable",
    "Parallel",
    "Plan",
    "RoundTrip",
    "Row",
    "Stage",
    "StageGraph",
    "StateDifference",
    "StateFault",
    "Tangle",
    "Topology",
    "active_dropout",
    "article",
    "branch_effects",
    "canonical",
    "chain",
    "compare",
    "compare_state",
    "evaluate",
    "evaluation_spread",
    "gradient_reach",
    "leaves",
    "looks_untrained",
    "module_output",
    "notices_corruption",
    "parameter_count",
    "plan_of",
    "read_network",
    "round_trip",
    "same_bits",
    "snapshot_state",
    "specification",
    "stage",
    "stage_graph",
    "stages",
    "topology",
    "words",
    "wrapper_of",
]
