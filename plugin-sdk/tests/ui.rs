//! What an author is told who gets something wrong; the texts stand beside the mistakes.

#[test]
fn mistakes_are_told_where_they_are() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
