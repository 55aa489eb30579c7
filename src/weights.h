/* weights.h - packed weights, for the library's own files. */
#ifndef ATTEND_SRC_WEIGHTS_H
#define ATTEND_SRC_WEIGHTS_H

#include "path.h"
#include "shape.h"

struct AttendWeights {
  AttendLayerShape shape;
  LayerColumns columns;
  size_t bytes;
  Linear qkv;    /* [E, Hq*D + Hk*D + Hk*Dv] */
  Linear output; /* [Hq*Dv, E] */
};

#endif
