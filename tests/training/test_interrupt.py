import os
import signal
import threading

import pytest

from seq2seq.training.interrupt import Interrupted, InterruptFlag


@pytest.fixture
def heard():
    """The signals received by the previous handlers."""
    numbers: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda received, frame: numbers.append(received))
    yield numbers
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_sets_a_flag_and_the_second_calls_the_previous_handler(heard, number):
    with InterruptFlag() as flag:
        assert flag.signal_number is None
        send(number)
        assert flag.signal_number == number
        assert heard == []
        send(number)
        assert heard == [number]


def test_after_ctrl_c_a_second_one_is_a_keyboard_interrupt():
    # Python's default in a terminal; a shell makes background processes ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with InterruptFlag() as flag:
            send(signal.SIGINT)
            with pytest.raises(KeyboardInterrupt):
                send(signal.SIGINT)
        assert flag.signal_number == signal.SIGINT
    finally:
        signal.signal(signal.SIGINT, before)


def test_after_one_signal_the_other_is_not_deferred(heard):
    with InterruptFlag() as flag:
        send(signal.SIGTERM)
        send(signal.SIGINT)
    assert flag.signal_number == signal.SIGTERM
    assert heard == [signal.SIGINT]


def leave_normally() -> None:
    pass


def leave_by_error() -> None:
    raise Interrupted("stopped", signal.SIGTERM)


@pytest.mark.parametrize("interrupted", [False, True])
@pytest.mark.parametrize("leave", [leave_normally, leave_by_error])
def test_handlers_are_restored(heard, leave, interrupted):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        with InterruptFlag():
            assert signal.getsignal(signal.SIGTERM) != before[1]
            if interrupted:
                send(signal.SIGTERM)
            leave()
    except Interrupted:
        pass
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    send(signal.SIGTERM)
    assert heard == [signal.SIGTERM]


def test_in_another_thread_it_has_no_effect():
    before, flags = signal.getsignal(signal.SIGTERM), []

    def work() -> None:
        with InterruptFlag() as flag:
            flags.append((flag.signal_number, signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert flags == [(None, before)]


def test_the_exit_code_is_that_of_a_shell():
    assert Interrupted("stopped", signal.SIGTERM).exit_code == 143
    assert Interrupted("stopped", signal.SIGINT).exit_code == 130


def test_the_interruption_is_not_an_exception_subclass():
    assert not issubclass(Interrupted, Exception)
