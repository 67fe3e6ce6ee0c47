"""The contracts: what passes between components, and what each kind must do.

Shapes: B sentences, W words (padded), R regions (padded, over all pictures of a sentence), N
pictures in the batch, D text width, E image width, F fused width, L labels. Masks are bool, true
where something is. Components get tensors in these small frozen dataclasses; never the model, the
trainer or the config.

Constructor arguments named `sizes`, `assets` and `fitted` are filled in by the engine; every other
argument is an option of the component, validated from its annotation. `assets` is None when the
component is new, and the folder that its `save_assets` filled when a finished run is loaded: then
only the structure is rebuilt, the weights come from the run. `fitted` is what the classmethod `fit`
learned from the training text (JSON; kept in the run).
"""
