"""Rewriting of graphs: what computes the same comes to be written in one way.

A rule is an identity of networks: a small function with its statement and source, which looks at one node of a graph
that can be run, and says what to put in the node's place. Since the result can be run too, every rule is tested by
running random networks before and after it. `RULES` has them in the order in which they are tried on a node.

`functional` takes ops in place out first; `draft` holds what is known of a graph and makes the changes, refusing those
that would change a shape or dtype or touch memory that is still overwritten; `engine` goes through the nodes until
nothing applies; `ending` leaves out an activation that the loss would apply itself.
"""

from graders.models.rewriting import activations, identities, layers, order, pooling, shapes
from graders.models.rewriting.ending import without_final
from graders.models.rewriting.engine import Rule, rewrite

RULES: tuple[Rule, ...] = (
    identities.drop_copy,
    identities.drop_detach,
    identities.drop_cast,
    identities.drop_dropout,
    identities.plain_size,
    identities.drop_adding_zero,
    identities.drop_multiplying_by_one,
    identities.drop_same_shape,
    identities.drop_cat_of_one,
    identities.drop_whole_part,
    identities.drop_clamp_to_everything,
    shapes.drop_reshape_to_same_shape,
    shapes.merge_reshapes,
    shapes.reshape_as_flatten,
    shapes.one_way_to_reshape,
    shapes.one_way_to_permute,
    shapes.merge_permutes,
    shapes.drop_permute_in_order,
    shapes.one_way_to_join,
    shapes.sum_of_stack_as_add,
    activations.clamp_as_relu,
    activations.clamp_as_relu6,
    activations.capped_relu_as_relu6,
    activations.bounds_as_clamp,
    activations.threshold_as_relu,
    activations.zero_slope_as_relu,
    activations.maximum_with_zero_as_relu,
    activations.masked_product_as_relu,
    activations.choice_as_relu,
    activations.masked_fill_as_relu,
    activations.half_of_sum_with_absolute_as_relu,
    activations.relu_of_what_is_not_negative,
    activations.relu6_after_relu,
    activations.plain_softmax,
    pooling.pool_without_indices,
    pooling.drop_adaptive_pool_to_same_size,
    pooling.adaptive_max_pool_as_fixed,
    pooling.adaptive_avg_pool_as_fixed,
    pooling.drop_pool_of_one,
    pooling.plain_max_pool,
    pooling.plain_avg_pool,
    pooling.values_of_max_as_amax,
    pooling.merge_reductions,
    pooling.reduction_of_flat_maps,
    pooling.whole_reduction_as_pool,
    layers.convolution_as_layer,
    layers.padding_in_numbers,
    layers.plain_conv,
    layers.plain_conv_transpose,
    layers.zeros_around,
    layers.padding_of_conv,
    layers.product_as_linear,
    layers.plain_linear,
    layers.bias_of_layer,
    order.relu_before_max_pool,
    order.relu_before_dropout,
    order.activation_before_reshape,
    order.dropout_before_reshape,
    order.constant_second,
    order.merge_duplicates,
)

__all__ = ["RULES", "Rule", "rewrite", "without_final"]
