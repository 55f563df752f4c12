"""Which GPU a rank takes, with a TensorFlow that has as many as the test says."""

from types import SimpleNamespace
from unittest import mock

import pytest

from hvdsweep.errors import UserError
from hvdsweep.training.rank import take_gpu


def tensorflow(count):
    """A stand-in for the calls of `tf.config` that choose devices."""
    config = mock.Mock()
    config.list_physical_devices.return_value = [f"GPU {number}" for number in range(count)]
    return SimpleNamespace(config=config)


@pytest.mark.parametrize(
    ("count", "local_rank", "taken"), [(1, 0, "GPU 0"), (4, 2, "GPU 2"), (2, 3, "GPU 1")]
)
def test_a_rank_takes_the_gpu_of_its_number(count, local_rank, taken):
    """It alone is visible, grows its memory, and multiplies in float32; with Gloo ranks beyond the last share from the first."""
    tf = tensorflow(count)
    with mock.patch("horovod.tensorflow.nccl_built", return_value=0):
        take_gpu(tf, local_rank)
    tf.config.set_visible_devices.assert_called_once_with(taken, "GPU")
    tf.config.experimental.set_memory_growth.assert_called_once_with(taken, True)
    tf.config.experimental.enable_tensor_float_32_execution.assert_called_once_with(False)


def test_without_gpus_nothing_is_set():
    """A machine without GPUs trains as before."""
    tf = tensorflow(0)
    take_gpu(tf, 1)
    tf.config.set_visible_devices.assert_not_called()


def test_more_ranks_than_gpus_are_refused_under_nccl():
    """The second rank on a machine with one GPU ends with a message that has the numbers and the remedy."""
    with (
        mock.patch("horovod.tensorflow.nccl_built", return_value=22105),
        mock.patch("horovod.tensorflow.local_size", return_value=2),
        pytest.raises(UserError, match=r"2 ranks .* 1 GPU: .*Ask for --np 1"),
    ):
        take_gpu(tensorflow(1), 1)
