"""A model's forward pass and its gradient compiled by PyTorch, where Keras runs one operation after the other."""

from typing import Any

import keras


def compile_forward(model: keras.Model, **options: Any) -> keras.Model:
    """Compile a model's `call`, and with it the gradient, by `torch.compile`; on other backends Keras does it itself.

    `model.compile(jit_compile=True)` compiles the whole train step, which falls into many pieces on PyTorch, or fails
    (https://github.com/keras-team/keras/issues/22282). The forward pass of our models is one piece: convolution, norm,
    activation and the casts of mixed precision become few kernels. Loss, metrics and optimizer run as before, and so do
    monitors and controls, which look at gradients and outputs.

    It is for a GPU. On two cores of a CPU training took longer with it, and only inference less (docs/performance.md).

    The first step takes longer, a minute for a large network; so does the first batch of another shape, of another mode
    (`predict` after `fit`), and PyTorch gives up compiling after eight such. Weights, files and names stay as they are.
    The result is the same to rounding. Models of Keras' own layers work too, in more pieces.

    Args:
        model: Built, such as one of `UNet`; call this before `fit`, once, in each process: it isn't saved.
        **options: Of `torch.compile`, such as `mode="max-autotune"` or `dynamic=True`; ignored on other backends.

    Returns:
        The same model.

    Raises:
        ValueError: If `model` is no Keras model, or is not built.

    Example:
        >>> from unetdyn.models import UNet, compile_forward
        >>> model = compile_forward(UNet((16, 16, 1), filters=2, depth=2))
        >>> model.output_shape
        (None, 16, 16, 1)

    Reference:
        Ansel et al., "PyTorch 2: Faster Machine Learning Through Dynamic Python Bytecode Transformation and Graph
        Compilation", ASPLOS 2024.
    """
    if not isinstance(model, keras.Model) or not model.built:
        raise ValueError(
            "`model` must be a built `keras.Model`, such as one of `UNet`; call a subclassed one on a batch first. "
            f"Received: model={model!r}."
        )
    if keras.backend.backend() == "torch":
        # There is no public way to ask.
        from keras.src.backend.common.stateless_scope import in_stateless_scope
        from torch import compile as compiler

        plain, compiled = model.call, compiler(model.call, **options)

        def call(*args: Any, **kwargs: Any) -> Any:
            """In such a scope of Keras' variables have other values than their own, and shapes may be all there is."""
            return (plain if in_stateless_scope() else compiled)(*args, **kwargs)

        model.call = call
    return model
