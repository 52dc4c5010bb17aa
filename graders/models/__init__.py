"""The graph of a student's network: read, canonicalise, compare, explain, evaluate. No student code is run.

    snapshot ──read_network──▶ Network ──stages──▶ compare ──▶ Comparison (share, sentences)
                                  │   ──topology──▶ branch_effects
                                  └── run / evaluate ──▶ logits, taps

ARCHITECTURE. `graph` reads graph.json strictly into records and leaves out dead code; `ops` is the whitelist with the
checks of every argument; `interpreter` runs a graph, on the meta device for shapes and costs or on the CPU; `network`
ties graph, tensors and shapes together. `flow` follows the data from input to output; `notation` has the stages and
their short notation; `recognise` turns one node into stages; `canonical` puts them into the one order of all that
compute the same; `comparison` aligns them with a specification, in `rows`; `wording` makes the sentences. `branches`
finds fan-outs, merges and disjoint paths; `effects` sees what branches and dropout do. `evaluation` runs a network in
a process under limits. Shapes and dtypes that a file claims are read past: the dry run finds them anew.
"""

from graders.models.branches import Branch, Merge, Topology, topology
from graders.models.canonical import Chain, chain, stages
from graders.models.comparison import Comparison, compare
from graders.models.effects import Effect, active_dropout, branch_effects, evaluation_spread, gradient_reach
from graders.models.evaluation import evaluate
from graders.models.graph import Graph, NetworkLimits, Node, NotExportable
from graders.models.network import Network, NetworkOutput, module_output, parameter_count, read_network
from graders.models.notation import Stage, specification, stage
from graders.models.rows import Row
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
    "Row",
    "Stage",
    "Topology",
    "active_dropout",
    "article",
    "branch_effects",
    "chain",
    "compare",
    "evaluate",
    "evaluation_spread",
    "gradient_reach",
    "module_output",
    "parameter_count",
    "read_network",
    "specification",
    "stage",
    "stages",
    "topology",
    "words",
]
