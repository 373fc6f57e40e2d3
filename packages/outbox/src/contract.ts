/**
 * What a store of your own must do, as a suite that any test runner can run.
 *
 * @since 0.1.0
 */
export {}
