"""Where each output lies on its template: the views that entries are drawn in.

A team draws on a crop of its own. One fit an output finds the transform from its pixels to the
template's picture; landmarks and truth are carried through it, so that metrics look where the face
is. May import `preprocess` and what lies below it; metrics, protocol and scoring import it.
"""
