"""Whether the devices that share a batch can share it: Keras gives each of them as many samples."""

import keras


def devices_sharing() -> int:
    """How many devices this process' batches are split over, by `keras.distribution`; 1 without one.

    Only Keras on JAX splits batches by it; `tf.distribute` takes batches of any size.

    Example:
        >>> devices_sharing()
        1
    """
    distribution = keras.distribution.distribution()
    mesh, axis = getattr(distribution, "device_mesh", None), getattr(distribution, "batch_dim_name", None)
    if keras.backend.backend() != "jax" or mesh is None or axis not in mesh.axis_names:
        return 1
    return max(1, mesh.shape[list(mesh.axis_names).index(axis)] // distribution.num_processes)


def check_shares(tiles: int, batch_size: int, drop_last: bool) -> None:
    """Refuse batches that can't be shared evenly: `fit` would end with an error at the first of them.

    Args:
        tiles: How many there are.
        batch_size: How many of them are in a batch.
        drop_last: Whether the tiles that do not fill a batch are left out.

    Raises:
        ValueError: If a batch, the last one among them, is no multiple of the number of devices.
    """
    devices = devices_sharing()
    rule = f"With batches split over {devices} devices by `keras.distribution`, each must be a multiple of {devices}"
    if batch_size % devices:
        proposed = -(-batch_size // devices) * devices
        raise ValueError(f"{rule}. Received: batch_size={batch_size}. Pass such as `batch_size={proposed}`.")
    last = tiles % batch_size
    if not drop_last and last % devices:
        raise ValueError(
            f"{rule}, the last too. Received: {tiles} tiles and batch_size={batch_size}, which leaves a last batch of "
            f"{last}. Pass `drop_last=True`, or {tiles - last % devices} tiles where each should count in every epoch, "
            "as in validation."
        )
