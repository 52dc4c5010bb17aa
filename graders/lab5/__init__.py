"""The graders of lab 5, and how they weigh what they find.

- Accuracy: recomputed on held-out images, dropout off. At or above the profile's threshold: all points; less than
  `accuracy.NEAR` (5 points of percent) below it: half; else none. Of several trained networks the best of the last
  four counts: students compare optimisers after the training that was asked for.
- Architecture: the share of the stages that agree.
- A shape with height and width exchanged, or without the number of maps: half.
- Reloading: each fault (another forward than the network that was saved, evaluation mode forgotten, no fresh network,
  strict=False) costs a third; the right weights keep one.
- Ten things asked (predictions, pictures): the share of those that are right.
- The function for own images: five aspects of equal weight, each held if three pictures of four show it.
- Misclassified pictures: the right number without the right list: half. What may be true of the student's own, longer
  training is for a person.
- Names are used again in notebooks, so of several networks of a class the best of the last four counts, always.
- The topology of one's own: see `topologies`.

Modules: `shapes` and `digits` read free text, `pictures` the ten images, `networks` finds the network that is meant,
`reloading` compares it with the one that was saved; `accuracy`, `training`, `drawings`, `own_image` and `topologies`
judge. `public/` and `hidden/` hold the graders.
"""
