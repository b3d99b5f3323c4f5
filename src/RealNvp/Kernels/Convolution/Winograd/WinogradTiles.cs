namespace RealNvp.Kernels;

/// <summary>Tiles between images that lie channels last and blocks of transformed tiles.</summary>
internal static unsafe class WinogradTiles
{
    /// <summary>The place of a tile.</summary>
    private struct Place
    {
        private readonly WinogradShape shape;
        public int Image, Row, Column;

        public Place(WinogradShape shape, int tile)
        {
            this.shape = shape;
            Image = tile / (shape.Down * shape.Across);
            Row = 2 * (tile / shape.Across % shape.Down);
            Column = 2 * (tile % shape.Across);
        }

        /// <summary>Whether the last pixel of the last image is under the tile.</summary>
        public readonly bool IsAtEnd => Image == shape.N - 1 && Row + 3 > shape.H - 1 && Column + 3 > shape.W - 1;

        public void Next()
        {
            if ((Column += 2) < shape.W) return;
            Column = 0;
            if ((Row += 2) < shape.H) return;
            Row = 0;
            Image++;
        }
    }

    /// <summary>Transforms the 4×4 patches under tiles of an image of C channels, at least half a vector; what is outside of the image is
    /// read at <paramref name="outside"/>, a vector at least. What it writes beyond the channels means nothing.</summary>
    public static void Patches<TLanes>(WinogradShape shape, float* image, float* outside, int first, int tiles, float* to)
        where TLanes : struct, ILanes<TLanes, float>
    {
        var d = stackalloc float*[16];
        var stride = WinogradShape.Stride(shape.C);
        var plane = WinogradShape.Plane(stride);
        nint channels = shape.C, line = (nint)shape.W * channels, read = Math.Max(channels, TLanes.Count);
        // a vector that is read from the last pixel on must not go beyond the image
        var last = image + (((((nint)shape.N * shape.H) * shape.W) - 1) * channels);
        var whole = stackalloc float[TLanes.Count];
        var isNarrow = channels < TLanes.Count;
        if (isNarrow) Copy(last, whole, shape.C);
        var place = new Place(shape, first);
        for (var tile = 0; tile < tiles; tile++, to += stride)
        {
            var corner = image + ((((nint)place.Image * shape.H) + place.Row - 1) * line) + ((place.Column - 1) * channels);
            for (var i = 0; i < 4; i++)
            {
                var inside = (uint)(place.Row - 1 + i) < (uint)shape.H;
                for (var j = 0; j < 4; j++)
                    d[(4 * i) + j] = inside && (uint)(place.Column - 1 + j) < (uint)shape.W ? corner + (i * line) + (j * channels)
                        : outside;
            }
            if (isNarrow && place.IsAtEnd)
                for (var i = 0; i < 16; i++) if (d[i] == last) d[i] = whole;
            WinogradTransform.Input<TLanes>(d, read, to, plane);
            place.Next();
        }
    }

    /// <summary>Transforms a panel of products back to channels of an image of K channels, and adds a bias.</summary>
    /// <param name="shape">The convolution.</param>
    /// <param name="products">The panel.</param>
    /// <param name="width">Its channels: whole vectors.</param>
    /// <param name="bias">The bias of the panel, as wide.</param>
    /// <param name="column">The first channel of the panel.</param>
    /// <param name="first">The first tile.</param>
    /// <param name="tiles">The number of tiles.</param>
    /// <param name="addend">An image that is added, or null.</param>
    /// <param name="image">Gets the outputs.</param>
    public static void Outputs<TLanes>(WinogradShape shape, float* products, int width, float* bias, int column, int first, int tiles,
        float* addend, float* image) where TLanes : struct, ILanes<TLanes, float>
    {
        var plane = WinogradShape.Plane(width);
        var present = Math.Min(width, shape.K - column);
        // what lies outside of the image, or beyond its channels
        var spare = stackalloc float[4 * width];
        nint channels = shape.K, line = (nint)shape.W * channels;
        var place = new Place(shape, first);
        for (var tile = 0; tile < tiles; tile++, products += width)
        {
            var to = image + ((((nint)place.Image * shape.H) + place.Row) * line) + (place.Column * channels) + column;
            bool right = place.Column + 1 < shape.W, below = place.Row + 1 < shape.H;
            if (addend != null && present == width && right && below)
                WinogradTransform.OutputAdded<TLanes>(products, plane, bias, width, to, channels, line, addend + (to - image));
            else if (addend == null && present == width)
                WinogradTransform.Output<TLanes>(products, plane, bias, width, to, right ? to + channels : spare, below ? to + line
                    : spare, right && below ? to + line + channels : spare);
            else
            {
                WinogradTransform.Output<TLanes>(products, plane, bias, width, spare, spare + width, spare + (2 * width),
                    spare + (3 * width));
                var added = addend == null ? null : addend + (to - image);
                Put(spare, added, 0, to, present);
                if (right) Put(spare + width, added, channels, to, present);
                if (below) Put(spare + (2 * width), added, line, to, present);
                if (right && below) Put(spare + (3 * width), added, line + channels, to, present);
            }
            place.Next();
        }
    }

    /// <summary>The adjoint of <see cref="Outputs"/>: transforms a panel of the gradient of an
    /// image of K channels, and adds its sum over pixels to <paramref name="sums"/>.</summary>
    /// <param name="shape">The convolution.</param>
    /// <param name="gradient">The gradient.</param>
    /// <param name="column">The first channel of the panel.</param>
    /// <param name="width">The channels of the panel: whole vectors. Those beyond K are 0.</param>
    /// <param name="first">The first tile.</param>
    /// <param name="tiles">The number of tiles.</param>
    /// <param name="to">Gets the transformed tiles.</param>
    /// <param name="sums">The sums of the panel.</param>
    public static void Gradients<TLanes>(WinogradShape shape, float* gradient, int column, int width, int first, int tiles, float* to,
        float* sums) where TLanes : struct, ILanes<TLanes, float>
    {
        var plane = WinogradShape.Plane(width);
        var present = Math.Min(width, shape.K - column);
        // zeros for what lies outside of the image, and copies where the image has fewer channels
        var spare = stackalloc float[5 * width];
        new Span<float>(spare, 5 * width).Clear();
        var zeros = spare + (4 * width);
        nint channels = shape.K, line = (nint)shape.W * channels;
        var place = new Place(shape, first);
        for (var tile = 0; tile < tiles; tile++, to += width)
        {
            var y = gradient + ((((nint)place.Image * shape.H) + place.Row) * line) + (place.Column * channels) + column;
            bool right = place.Column + 1 < shape.W, below = place.Row + 1 < shape.H;
            float* y01 = right ? y + channels : zeros, y10 = below ? y + line : zeros, y11 = right && below ? y + line + channels : zeros;
            if (present < width)
            {
                Copy(y, spare, present);
                Copy(y01, spare + width, present);
                Copy(y10, spare + (2 * width), present);
                Copy(y11, spare + (3 * width), present);
                y = spare;
                y01 = spare + width;
                y10 = spare + (2 * width);
                y11 = spare + (3 * width);
            }
            WinogradTransform.OutputAdjoint<TLanes>(y, y01, y10, y11, width, to, plane, sums);
            place.Next();
        }
    }

    private static void Put(float* from, float* added, nint at, float* to, int count)
    {
        if (added == null) Copy(from, to + at, count);
        else for (nint i = 0; i < count; i++) to[at + i] = from[i] + added[at + i];
    }

    private static void Copy(float* from, float* to, int count) => new ReadOnlySpan<float>(from, count).CopyTo(new Span<float>(to, count));
}
