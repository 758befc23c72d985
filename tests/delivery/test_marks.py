from everpost.delivery import marks


def test_what_was_added_for_delivery_here_does_not_travel_on() -> None:
    body = b"Received: from x\r\nReturn-Path: <theirs@x.test>\r\n\r\nhi"
    assert marks.without_return_path(marks.return_path("a@x.test") + body) == body
    assert marks.without_return_path(body) == body
    assert marks.return_path("") == b"Return-Path: <>\r\n"
