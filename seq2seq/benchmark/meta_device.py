"""A GPU imitated by PyTorch's meta device, to list the operations for which the host would wait for it.

Tensors of the meta device have shapes and no values. Operations refuse tensors of two devices, as on a GPU, and each
value that the host reads is noticed. A search depends on what it reads, so each of its tensors has a twin on the host.

A wait is a copy from the device, a copy to it that is not asynchronous, or an operation whose result has a shape that
depends on values (`Tensor.nonzero`).
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakTensorKeyDictionary

META, CPU = torch.device("meta"), torch.device("cpu")

aten = torch.ops.aten


class Waits(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While this is open, lists in ``found`` the operations for which the host waits for the meta device.

    Args:
        with_values: compute on the twins too; else the host reads zeros.
    """

    def __init__(self, *, with_values: bool = True) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[str] = []
        self._with_values = with_values
        self._twins = WeakTensorKeyDictionary()
        self._twins_by_storage: dict[int, tuple[torch.UntypedStorage, Tensor]] = {}
        self._copied_lists = _CopiedLists()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Keeps PyTorch from loading its compiler for this, which takes seconds."""
        return False

    def pair(self, tensor: Tensor, twin: Tensor) -> None:
        """Give a tensor of the meta device the values of one on the host."""
        storage = tensor.untyped_storage()
        self._twins[tensor] = twin
        self._twins_by_storage[storage._cdata] = storage, twin  # kept alive, so that its address is not used again

    def twin(self, tensor: Tensor) -> Tensor | None:
        """The tensor on the host with the values of one of the meta device; None if they are not known."""
        twin: Tensor | None = self._twins.get(tensor)  # type: ignore[no-untyped-call]
        if twin is None:  # a new `Parameter` is another tensor over the same storage
            _, twin = self._twins_by_storage.get(tensor.untyped_storage()._cdata, (None, None))
        return twin if twin is not None and twin.shape == tensor.shape else None

    def __enter__(self) -> "Waits":
        super().__enter__()  # type: ignore[no-untyped-call]
        self._copied_lists.__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        self._copied_lists.__exit__(*error)  # type: ignore[no-untyped-call]
        super().__exit__(*error)  # type: ignore[no-untyped-call]

    def __torch_dispatch__(
        self, operation: Any, types: Sequence[type], args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation on the meta device and, if the values of all its tensors are known, on the twins."""
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        on_device = [tensor for tensor in tensors if tensor.is_meta]
        if _waits(operation, args, kwargs, tensors):
            self.found.append(operation.name())
        known = self._with_values and all(self.twin(tensor) is not None for tensor in on_device)
        on_host: Any = operation(*tree_map(self._to_host, args), **tree_map(self._to_host, kwargs)) if known else None
        if operation is aten._local_scalar_dense.default and on_device:
            return on_host if known else 0
        if operation is aten._to_copy.default and on_device and _target(args, kwargs) == CPU:
            return on_host if known else torch.zeros(args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype)
        if known and on_device and not (operation.is_view or operation._schema.is_mutable):
            result = tree_map(_to_meta, on_host)
        else:
            result = operation(*args, **kwargs)
        for leaf, twin in zip(tree_leaves(result), tree_leaves(on_host) if known else (), strict=False):
            if _is_meta(leaf):
                self.pair(leaf, twin)
        return result

    def _to_host(self, argument: Any) -> Any:
        if _is_meta(argument):
            return self.twin(argument)
        return CPU if isinstance(argument, torch.device) and argument == META else argument


class _CopiedLists(TorchFunctionMode):
    """Makes a tensor of a Python list on the meta device as a GPU gets it: on the host, and by a copy that waits."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run any function of torch."""
        kwargs = kwargs or {}
        if function in (torch.tensor, torch.as_tensor) and torch.device(kwargs.get("device") or CPU) == META:
            return function(*args, **{**kwargs, "device": CPU}).to(META)
        if function is Tensor.new_tensor and args[0].is_meta:
            return torch.tensor(args[1], dtype=kwargs.get("dtype") or args[0].dtype).to(META)
        return function(*args, **kwargs)


def _is_meta(argument: Any) -> bool:
    return isinstance(argument, Tensor) and argument.is_meta


def _to_meta(result: Any) -> Any:
    return torch.empty_like(result, device=META) if isinstance(result, Tensor) else result


def _target(args: Any, kwargs: dict[str, Any]) -> torch.device:
    """The device that `aten._to_copy` copies to."""
    return torch.device(kwargs.get("device") or args[0].device)


def _waits(operation: Any, args: Any, kwargs: dict[str, Any], tensors: list[Tensor]) -> bool:
    if operation is aten._to_copy.default:
        away = args[0].is_meta and _target(args, kwargs) == CPU
        return away or (not args[0].is_meta and _target(args, kwargs) == META and not kwargs.get("non_blocking"))
    if operation is aten.copy_.default:
        return args[0].device != args[1].device and not (len(args) > 2 and args[2])
    if not any(tensor.is_meta for tensor in tensors):
        return False
    # A scalar on the host is an argument of the kernel; a longer tensor must be copied first.
    return _depends_on_values(operation, args) or any(tensor.dim() and not tensor.is_meta for tensor in tensors)


def _depends_on_values(operation: Any, args: Any) -> bool:
    """Whether the host must know values to know the result's shape, or the result itself."""
    if operation in (aten.index.Tensor, aten.index_put.default, aten.index_put_.default):
        return any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1])
    return bool({torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape} & set(operation.tags))
